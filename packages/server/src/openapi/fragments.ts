/** A part of an OpenAPI document. */
export type OpenApiPart = { readonly [key: string]: unknown };

/** A reference to one of the document's schemas. */
export function reference(schema: string): OpenApiPart {
  return { $ref: `#/components/schemas/${schema}` };
}

/** A request body of JSON. */
export function jsonBody(schema: string, isRequired = true): OpenApiPart {
  return { requestBody: { required: isRequired, content: { 'application/json': { schema: reference(schema) } } } };
}

/** A good answer of JSON. */
export function answers(schema: OpenApiPart): OpenApiPart {
  return { responses: { 200: { description: 'The answer.', content: { 'application/json': { schema } } } } };
}
