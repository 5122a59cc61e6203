import {
  type ASTNode,
  getNamedType,
  type GraphQLError,
  type GraphQLInputField,
  type GraphQLSchema,
  isInputObjectType,
  Kind,
  type TypeNode,
} from 'graphql';
import { shorten } from '../../domain/values/text.ts';

/** As graphql-js words it: which variable, the value at length, where in it, and why not. */
const INVALID_VALUE = /^Variable "\$(\w+)" got invalid value ([\s\S]*?)(?: at "([^"]*)")?; ([\s\S]*)$/;
/** At most this much of a value that was sent is repeated. */
const SHOWN = 80;

/**
 * What is wrong with a variable, said to its sender: graphql-js says of which type a value is not, and repeats it at
 * any length. Here it is cut, and the description of its field is added, which says what is allowed.
 */
export function explainValueError(error: GraphQLError, schema: GraphQLSchema): string {
  const [, variable, value = '', place, reason = ''] = INVALID_VALUE.exec(error.message) ?? [];
  if (variable === undefined) return shorten(error.message, 4 * SHOWN);
  const where = place === undefined ? '' : ` at "${shorten(place, 4 * SHOWN)}"`;
  const field = place === undefined ? undefined : fieldAt(error.nodes?.[0], place, schema);
  const why = reason.endsWith(value) ? `${reason.slice(0, -value.length)}${shorten(value, SHOWN)}` : reason;
  const shown = shorten(why, 4 * SHOWN);
  const problem = field?.description ? `${asSentence(shown)} ${field.name}: ${field.description}` : shown;
  return `Variable "$${variable}" got invalid value ${shorten(value, SHOWN)}${where}; ${problem}`;
}

/** The input field that a place such as `input.jobs[3].timeoutMs` names. */
function fieldAt(
  node: ASTNode | undefined,
  place: string,
  schema: GraphQLSchema,
): GraphQLInputField | undefined {
  if (node?.kind !== Kind.VARIABLE_DEFINITION) return undefined;
  let type = schema.getType(nameOf(node.type));
  let field: GraphQLInputField | undefined;
  for (const name of place
    .replaceAll(/\[\d+\]/g, '')
    .split('.')
    .slice(1)) {
    if (!isInputObjectType(type)) return undefined;
    field = type.getFields()[name];
    type = field && getNamedType(field.type);
  }
  return field;
}

function nameOf(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : nameOf(type.type);
}

function asSentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}
