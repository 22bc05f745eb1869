export {
  type ChannelGroup,
  type ChannelGroupOptions,
  channelGroups,
  type GroupMember,
  type MemberRole,
} from './channel-groups.js';
export { type GradientsOfOptions, gradientsOf, type LossGraph } from './gradients-of.js';
export { maskChannels } from './mask-channels.js';
export { type PruneChannelsOptions, pruneChannels } from './prune-channels.js';
export type { ChannelImportance, GradientSource } from './rank-channels.js';
export { type RemoveChannelsOptions, removeChannels } from './remove-channels.js';
export { type ChannelSelection, type SelectChannelsOptions, selectChannels } from './select-channels.js';
