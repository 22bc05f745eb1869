/**
 * Positions in the `OrtApi` function table, which the runtime only ever appends to.
 *
 * Each row is `[position, result, parameters]`; `p` is a pointer, `s` an `OrtStatus*` (null when all went well), `z` a `size_t`,
 * `i` an `int`, `l` an `int64_t`, `t` a C string, `v` nothing.
 *
 * @see onnxruntime/core/session/onnxruntime_c_api.h, `struct OrtApi`
 */
export const ortSlots = {
  GetErrorCode: [1, 'i', 'p'],
  GetErrorMessage: [2, 't', 'p'],
  CreateEnv: [3, 's', 'itp'],
  DisableTelemetryEvents: [6, 's', 'p'],
  CreateSession: [7, 's', 'pppp'],
  CreateSessionFromArray: [8, 's', 'ppzpp'],
  Run: [9, 's', 'ppppzpzp'],
  CreateSessionOptions: [10, 's', 'p'],
  EnableProfiling: [14, 's', 'pp'],
  EnableMemPattern: [16, 's', 'p'],
  DisableMemPattern: [17, 's', 'p'],
  EnableCpuMemArena: [18, 's', 'p'],
  DisableCpuMemArena: [19, 's', 'p'],
  SetSessionLogSeverityLevel: [22, 's', 'pi'],
  SetSessionGraphOptimizationLevel: [23, 's', 'pi'],
  SetIntraOpNumThreads: [24, 's', 'pi'],
  SessionGetInputCount: [30, 's', 'pp'],
  SessionGetOutputCount: [31, 's', 'pp'],
  SessionGetInputTypeInfo: [33, 's', 'pzp'],
  SessionGetOutputTypeInfo: [34, 's', 'pzp'],
  SessionGetInputName: [36, 's', 'pzpp'],
  SessionGetOutputName: [37, 's', 'pzpp'],
  CreateRunOptions: [39, 's', 'p'],
  RunOptionsSetTerminate: [46, 's', 'p'],
  CreateTensorAsOrtValue: [48, 's', 'ppzip'],
  CreateTensorWithDataAsOrtValue: [49, 's', 'ppzpzip'],
  GetTensorMutableData: [51, 's', 'pp'],
  FillStringTensor: [52, 's', 'ppz'],
  GetStringTensorDataLength: [53, 's', 'pp'],
  GetStringTensorContent: [54, 's', 'ppzpz'],
  CastTypeInfoToTensorInfo: [55, 's', 'pp'],
  GetTensorElementType: [60, 's', 'pp'],
  GetDimensionsCount: [61, 's', 'pp'],
  GetDimensions: [62, 's', 'ppz'],
  GetSymbolicDimensions: [63, 's', 'ppz'],
  GetTensorTypeAndShape: [65, 's', 'pp'],
  GetValueType: [67, 's', 'pp'],
  CreateMemoryInfo: [68, 's', 'tiiip'],
  CreateCpuMemoryInfo: [69, 's', 'iip'],
  AllocatorFree: [76, 's', 'pp'],
  GetAllocatorWithDefaultOptions: [78, 's', 'p'],
  ReleaseStatus: [93, 'v', 'p'],
  ReleaseMemoryInfo: [94, 'v', 'p'],
  ReleaseSession: [95, 'v', 'p'],
  ReleaseValue: [96, 'v', 'p'],
  ReleaseRunOptions: [97, 'v', 'p'],
  ReleaseTypeInfo: [98, 'v', 'p'],
  ReleaseTensorTypeAndShapeInfo: [99, 'v', 'p'],
  ReleaseSessionOptions: [100, 'v', 'p'],
  GetAvailableProviders: [125, 's', 'pp'],
  ReleaseAvailableProviders: [126, 's', 'pi'],
  AddSessionConfigEntry: [130, 's', 'ptt'],
  RunWithBinding: [133, 's', 'ppp'],
  CreateIoBinding: [134, 's', 'pp'],
  ReleaseIoBinding: [135, 'v', 'p'],
  BindInput: [136, 's', 'ptp'],
  BindOutputToDevice: [138, 's', 'ptp'],
  GetBoundOutputValues: [140, 's', 'pppp'],
  SynchronizeBoundOutputs: [203, 's', 'p'],
  SessionOptionsAppendExecutionProvider_CUDA_V2: [204, 's', 'pp'],
  CreateCUDAProviderOptions: [205, 's', 'p'],
  UpdateCUDAProviderOptions: [206, 's', 'pppz'],
  ReleaseCUDAProviderOptions: [208, 'v', 'p'],
} as const;

/** Name of a function of the table. */
export type OrtFunction = keyof typeof ortSlots;

/** The table's version asked for: every slot above exists since it, and newer runtimes still serve it. */
export const ortApiVersion = 17;

/** One more than the highest position in use. */
export const ortTableLength: number = Math.max(...Object.values(ortSlots).map(([position]) => position)) + 1;
