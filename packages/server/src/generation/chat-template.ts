import { Template } from '@huggingface/jinja';
import { ModelwrightError } from '@modelwright/core';

/** A message of a chat. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

/**
 * Reads a chat template as Hugging Face's `tokenizer_config.json` has it.
 *
 * @param options.source - Jinja.
 * @param options.values - What it reads beside the messages.
 * @returns what writes a chat as the text the model was trained on, up to where the answer begins.
 * @throws {@link ModelwrightError} `invalid-configuration` for a template that cannot be read.
 */
export function chatTemplate(
  model: string,
  { source, values = {} }: { readonly source: string; readonly values?: Readonly<Record<string, string>> | undefined },
): (messages: readonly ChatMessage[]) => string {
  const template = parsed(model, source);
  return (messages) => {
    try {
      return template.render({ bos_token: '', eos_token: '', ...values, messages, add_generation_prompt: true });
    } catch (cause) {
      // A template refuses what its model does not know (`raise_exception`): an order of roles, say.
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new ModelwrightError(
        'invalid-argument',
        `the chat template of model '${model}' refuses these messages: ${reason}`,
        {
          input: 'messages',
          cause,
        },
      );
    }
  };
}

function parsed(model: string, source: string): Template {
  try {
    return new Template(source);
  } catch (cause) {
    throw new ModelwrightError('invalid-configuration', `the chat template of model '${model}' cannot be read`, {
      cause,
    });
  }
}
