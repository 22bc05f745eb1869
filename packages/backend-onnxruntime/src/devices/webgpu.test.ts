import { describeBackend } from '@modelwright/backend-conformance';
import { vi } from 'vitest';
import { findVulkanDriver } from '../../test/vulkan-driver.js';
import { createBackend } from '../backend.js';
import { webgpuLimits, webgpuTolerances } from './webgpu-limits.js';

// Each new graph has shaders compiled, by a driver that is a program on the CPU.
vi.setConfig({ testTimeout: 240_000 });

describeBackend('onnxruntime, webgpu', {
  create: () => createBackend({ device: 'webgpu' }),
  knownFailures: webgpuLimits,
  tolerances: webgpuTolerances,
  unavailable: findVulkanDriver(),
});
