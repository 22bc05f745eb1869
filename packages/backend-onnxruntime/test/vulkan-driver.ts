import { existsSync, readdirSync } from 'node:fs';

/** Where Chromium and Chrome keep SwiftShader, a Vulkan driver that needs no GPU. */
const softwareDrivers = [
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
  '/opt/google/chrome/vk_swiftshader_icd.json',
];
const driverFolders = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d'];
const libraries = ['/usr/lib/x86_64-linux-gnu/libvulkan.so.1', '/lib/x86_64-linux-gnu/libvulkan.so.1'];

/**
 * Makes a Vulkan driver known to this process: the one that is configured, else SwiftShader.
 *
 * @returns why WebGPU cannot run here, undefined if it can.
 */
export function findVulkanDriver(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  if (process.arch !== 'x64') return `onnxruntime-node has no WebGPU provider for linux-${process.arch}`;
  if (!libraries.some((file) => existsSync(file))) return 'there is no libvulkan.so.1 (apt install libvulkan1)';
  if (process.env['VK_ICD_FILENAMES'] ?? process.env['VK_DRIVER_FILES']) return undefined;
  const software = softwareDrivers.find((file) => existsSync(file));
  if (software === undefined) {
    const isInstalled = driverFolders.some((folder) => existsSync(folder) && readdirSync(folder).length > 0);
    return isInstalled ? undefined : 'there is no Vulkan driver (apt install chromium brings SwiftShader)';
  }
  process.env['VK_ICD_FILENAMES'] = software;
  return undefined;
}
