/** Ops on weights of 4 and 8 bits in blocks, which all its providers have. */
export const blockQuantizedOps: readonly string[] = ['com.microsoft:MatMulNBits', 'com.microsoft:GatherBlockQuantized'];

/**
 * Ops that core does not define and ONNX Runtime's CPU provider runs as they stand in a file, each tried on version 1.30. Other ops
 * of its domains may run as well; they are handed over and the runtime decides.
 */
export const passedOnOps: readonly string[] = [
  'GridSample',
  'NonMaxSuppression',
  'QLinearConv',
  'QLinearMatMul',
  'DFT',
  'STFT',
  'Col2Im',
  'RoiAlign',
  'Unique',
  'com.microsoft:FusedMatMul',
  ...blockQuantizedOps,
  'com.microsoft:MultiHeadAttention',
  'com.microsoft:GroupQueryAttention',
  'com.microsoft:DynamicQuantizeLSTM',
  'com.microsoft:DynamicQuantizeMatMul',
  'com.microsoft:MatMulIntegerToFloat',
];
