/** By how many milliseconds each tick of a 5 ms timer is late while `work` runs. */
export async function countLateTicks(work: () => Promise<void>): Promise<readonly number[]> {
  const period = 5;
  const late: number[] = [];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(Math.max(0, now - last - period));
    last = now;
  }, period);
  await work();
  clearInterval(timer);
  return late;
}
