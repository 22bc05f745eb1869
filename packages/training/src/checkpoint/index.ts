export { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from '@modelwright/core';
