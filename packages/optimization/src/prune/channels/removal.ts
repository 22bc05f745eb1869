import { ModelwrightError } from '@modelwright/core';
import type { ChannelAnalysis } from './channel-groups.js';
import type { ChannelSelection } from './select-channels.js';

/**
 * The labels of selected channels.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for a group or channel that there is not.
 */
export function rootsOfSelection({ groups }: ChannelAnalysis, selection: ChannelSelection): ReadonlySet<number> {
  const byName = new Map(groups.map((group) => [group.name, group]));
  const roots = [...selection].flatMap(([name, channels]) => {
    const group = byName.get(name);
    if (group === undefined) {
      const allowed = [...byName.keys()];
      throw new ModelwrightError(
        'invalid-argument',
        `no channels of '${name}' can be removed; those of these can: ${allowed.join(', ') || 'none'}`,
        { given: name, allowed },
      );
    }
    return channels.map((channel) => {
      const root = group.roots[channel];
      if (root !== undefined && new Set(channels).size < group.channels) return root;
      const message = `'${name}' has channels 0…${group.channels - 1}, of which one at least has to stay`;
      throw new ModelwrightError('invalid-argument', `${message}; ${channels} were to go`, { given: channels });
    });
  });
  return new Set(roots);
}
