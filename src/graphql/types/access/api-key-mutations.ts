import type { CommandError, CommandResult } from '../../../commands/command-result.ts';
import {
  API_KEY_LIMITS,
  DEFAULT_GRACE_MS,
  KEY_NAME_RULE,
  KEY_SHAPE,
} from '../../../domain/access/api-key.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { MutationError } from '../shared/mutation-errors.ts';
import { AccessRole } from './access-role.ts';
import { ApiKey } from './api-key.ts';

const INPUT = 'What to do.';
const ID = 'The key’s id, such as `key_01h455vb4pex5vsknk084sn02q`.';
const NOT_FOUND = 'NotFoundError where there is no such key; ConflictError where it is revoked';

const CreateApiKeyInput = builder.inputType('CreateApiKeyInput', {
  description: 'A new API key.',
  fields: (t) => ({
    name: t.string({ required: true, description: `Its name: ${KEY_NAME_RULE}.` }),
    role: t.field({ type: AccessRole, required: true, description: 'What its holder may do.' }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'From when on it is not valid, in the future; it does not expire where this is left out.',
    }),
  }),
});

const RotateApiKeyInput = builder.inputType('RotateApiKeyInput', {
  description: 'Which API key gets a new text.',
  fields: (t) => ({
    id: t.id({ required: true, description: ID }),
    graceMs: t.int({
      description: `How long its former text stays valid, ${API_KEY_LIMITS.graceMs.min} to ${API_KEY_LIMITS.graceMs.max} milliseconds; ${DEFAULT_GRACE_MS} where it is left out.`,
    }),
  }),
});

const RevokeApiKeyInput = builder.inputType('RevokeApiKeyInput', {
  description: 'Which API key is not valid any longer.',
  fields: (t) => ({ id: t.id({ required: true, description: ID }) }),
});

interface ApiKeyPayloadShape {
  apiKeyId: string | null;
  text: string | null;
  errors: CommandError[];
}

const ApiKeyPayload = builder.objectRef<ApiKeyPayloadShape>('ApiKeyPayload').implement({
  description: 'What became of an API key.',
  fields: (t) => ({
    apiKey: t.prismaField({
      type: ApiKey,
      nullable: true,
      description: 'The key as it is now; null where there are errors.',
      resolve: (query, { apiKeyId }, _args, { prisma }) =>
        apiKeyId === null ? null : prisma.apiKey.findUnique({ ...query, where: { id: apiKeyId } }),
    }),
    text: t.exposeString('text', {
      nullable: true,
      description: `What the holder sends as \`Authorization: Bearer\`: ${KEY_SHAPE}. It is shown only here, since only a hash of it is kept; null where the key got no new text.`,
    }),
    errors: t.expose('errors', {
      type: [MutationError],
      description: 'Why nothing was done; empty where it was.',
    }),
  }),
});

builder.mutationFields((t) => ({
  createApiKey: t.field({
    authScopes: needs('ADMIN'),
    type: ApiKeyPayload,
    description: `Creates an API key. ValidationError where the name is not what it may be, or \`expiresAt\` is in the past; ConflictError where a key that is not revoked has the name, or there are ${API_KEY_LIMITS.keys} such keys.`,
    args: { input: t.arg({ type: CreateApiKeyInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      payloadOf(await commands.createApiKey(caller, input)),
  }),
  rotateApiKey: t.field({
    authScopes: needs('ADMIN'),
    type: ApiKeyPayload,
    description: `Gives an API key a new text. Its former text stays valid for a grace; the text before that does not. ${NOT_FOUND}; ValidationError where \`graceMs\` is not what it may be.`,
    args: { input: t.arg({ type: RotateApiKeyInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      payloadOf(await commands.rotateApiKey(caller, input)),
  }),
  revokeApiKey: t.field({
    authScopes: needs('ADMIN'),
    type: ApiKeyPayload,
    description: `Revokes an API key for good. Its requests are refused from then on by every instance, and its websockets and event streams end. ${NOT_FOUND}.`,
    args: { input: t.arg({ type: RevokeApiKeyInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      payloadOf(await commands.revokeApiKey(caller, input)),
  }),
}));

function payloadOf(result: CommandResult<{ id: string; text?: string }>): ApiKeyPayloadShape {
  return result.ok
    ? { apiKeyId: result.value.id, text: result.value.text ?? null, errors: [] }
    : { apiKeyId: null, text: null, errors: result.errors };
}
