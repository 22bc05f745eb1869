import type { Node } from '@modelwright/core';
import type { Emission } from './emission.js';

/** Writes a node as nodes of TensorFlow and binds its outputs. */
export type Emit = (emission: Emission, node: Node) => void;
