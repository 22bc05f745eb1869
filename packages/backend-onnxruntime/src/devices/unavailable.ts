import { ModelwrightError } from '@modelwright/core';

/** A way in which a device fails to open, known by the runtime's message. */
interface KnownFailure {
  readonly pattern: RegExp;
  readonly message: string;
  readonly hint: string;
}

/** Failures by device, the most telling first. */
const knownFailures: { readonly [device: string]: readonly KnownFailure[] } = {
  webgpu: [
    {
      pattern: /No supported adapters|Failed to get a WebGPU adapter|vkCreateInstance/i,
      message: 'there is no GPU with a Vulkan, Metal or Direct3D 12 driver',
      hint: "install the GPU's Vulkan driver (apt install mesa-vulkan-drivers, or NVIDIA's); without a GPU, point VK_ICD_FILENAMES to vk_swiftshader_icd.json of a Chromium",
    },
    {
      pattern: /navigator\.gpu|WebGPU is not supported|no available adapters/i,
      message: 'this browser has no WebGPU, or no adapter for it',
      hint: "use a browser with WebGPU over https or localhost, or device 'wasm'",
    },
  ],
  tensorrt: [
    {
      pattern: /libnvinfer|providers_tensorrt|providers_shared|TensorRT|Tensorrt|Failed to load shared library/i,
      message: 'TensorRT or the provider library of onnxruntime-node is missing',
      hint: 'install TensorRT 10 and put it on LD_LIBRARY_PATH, then npm rebuild onnxruntime-node --foreground-scripts',
    },
  ],
  cuda: [
    {
      pattern: /libcuda\.so|no CUDA-capable device|CUDA driver version is insufficient|cudaErrorNoDevice/i,
      message: 'there is no NVIDIA driver, or one too old',
      hint: 'install the NVIDIA driver; nvidia-smi shows whether it works',
    },
    {
      pattern: /libcudnn/i,
      message: 'cuDNN 9 is missing',
      hint: 'install cuDNN 9 for your CUDA version (apt install cudnn9-cuda-12) or put it on LD_LIBRARY_PATH',
    },
    {
      pattern: /libcudart|libcublas|libcufft|libcurand|libnvrtc/i,
      message: 'the CUDA runtime libraries are missing or of another major version',
      hint: "install the CUDA toolkit that the message names (libcudart.so.12 is CUDA 12) and put it on LD_LIBRARY_PATH; 'ldd libonnxruntime_providers_cuda.so' lists what is missing",
    },
    {
      pattern: /libonnxruntime_providers|Failed to load shared library|AppendExecutionProvider_CUDA/i,
      message: "onnxruntime-node's CUDA provider library is not installed: package managers skip its install script",
      hint: 'npm rebuild onnxruntime-node --foreground-scripts (pnpm: pnpm approve-builds, then pnpm rebuild onnxruntime-node); it downloads the provider for Linux x64',
    },
  ],
};

const notInBuild: KnownFailure = {
  pattern: /backend not found|no available backend|not supported in this build|not enabled in this build/i,
  message: 'the onnxruntime-node for this platform is built without it',
  hint: "use one of the devices that 'modelwright doctor' shows as working",
};

/** Says in words of the user why a device does not open, and what to do. */
export function unavailableDevice(device: string, cause: unknown): ModelwrightError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const details = (cause as { details?: { hint?: string } }).details;
  const known = [...(knownFailures[device] ?? []), notInBuild].find(({ pattern }) => pattern.test(text));
  const first = text.split('\n')[0] as string;
  const message = `device '${device}' of onnxruntime is not available: ${known === undefined ? first : known.message}`;
  const hint = known?.hint ?? details?.hint;
  return new ModelwrightError('backend-unavailable', message, { cause, given: device, ...(hint ? { hint } : {}) });
}
