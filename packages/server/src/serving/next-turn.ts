/** Runs `task` when the event loop has read what has arrived meanwhile. */
export const nextTurn: (task: () => void) => void =
  typeof setImmediate === 'function' ? (task) => void setImmediate(task) : nextMessage;

let channel: InstanceType<typeof MessageChannel> | undefined;
const waiting: (() => void)[] = [];

/** Timers of browsers and workers wait for milliseconds; a message comes in the next turn. */
function nextMessage(task: () => void): void {
  if (channel === undefined) {
    channel = new MessageChannel();
    channel.port1.addEventListener('message', () => waiting.shift()?.());
    channel.port1.start();
  }
  waiting.push(task);
  channel.port2.postMessage(0);
}
