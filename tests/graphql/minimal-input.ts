import {
  type GraphQLInputType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredInputField,
} from 'graphql';

const SCALARS: Readonly<Record<string, unknown>> = {
  ID: 'x',
  String: 'x',
  Int: 1,
  Float: 1,
  Boolean: true,
  DateTime: '2030-01-01T00:00:00Z',
  JSON: {},
};

/** A value that an input type takes, with its required fields only. A command may still refuse it. */
export function minimalInput(type: GraphQLInputType): unknown {
  if (isNonNullType(type)) return minimalInput(type.ofType);
  if (isListType(type)) return [minimalInput(type.ofType)];
  if (isEnumType(type)) return type.getValues()[0]?.name;
  if (!isInputObjectType(type)) return SCALARS[type.name];
  const fields = Object.values(type.getFields());
  const taken = type.isOneOf ? fields.slice(0, 1) : fields.filter(isRequiredInputField);
  return Object.fromEntries(taken.map((field) => [field.name, minimalInput(field.type)]));
}
