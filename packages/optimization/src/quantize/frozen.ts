import { isFloat, type Model } from '@modelwright/core';

/** Marks integer weights as no longer trainable. */
export function frozen(model: Model): Model {
  for (const { name, value } of model.parameters) if (!isFloat(value.dtype)) model.setTrainable(name, false);
  return model;
}
