import type { VersionSlot } from './version-slot.js';

/** What to unload, first what was used longest ago, so that `sizeBytes` more fit under the limit; nothing if they do already. */
export function roomFor(sizeBytes: number, loaded: readonly VersionSlot[], limitBytes: number): readonly VersionSlot[] {
  const bytesOf = (slot: VersionSlot): number => slot.loaded?.served.memoryBytes ?? 0;
  let used = loaded.reduce((sum, slot) => sum + bytesOf(slot), 0);
  const victims: VersionSlot[] = [];
  for (const slot of [...loaded].sort((one, other) => one.lastUse - other.lastUse)) {
    if (used + sizeBytes <= limitBytes) break;
    used -= bytesOf(slot);
    victims.push(slot);
  }
  return victims;
}
