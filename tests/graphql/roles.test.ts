import { getNamedType, type GraphQLField, isLeafType, isObjectType, isRequiredArgument } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Role, roleIncludes, ROLES } from '../../src/domain/access/role.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { schema } from '../../src/graphql/schema.ts';
import { viewerNamed } from '../support/viewers.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';
import { minimalInput } from './minimal-input.ts';

let api: ApiHarness;
beforeAll(async () => {
  api = await createApiHarness();
});
afterAll(() => api.close());

const ROOTS = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
const ROOT_FIELDS = ROOTS.flatMap((type) =>
  Object.values(type?.getFields() ?? {}).map((field) => ({ root: type?.name ?? '', field })),
);

/** Fields that are no root fields and need a role. */
const NESTED = [
  ['AuditLogEntry', 'ADMIN'],
  ['ApiKey', 'ADMIN'],
  ['Job.auditLog', 'ADMIN'],
];

const roleOf = ({ extensions }: { extensions: Record<string, unknown> }) => extensions['role'] as Role;

describe('each root field', () => {
  it.each(ROOT_FIELDS)('$root.$field.name names its role, also in its description', ({ field }) => {
    expect(ROLES).toContain(roleOf(field));
    expect(field.description).toContain(`Needs the role ${roleOf(field)}.`);
  });

  it.each(ROOT_FIELDS.filter(({ root }) => root !== 'Subscription'))(
    '$root.$field.name is FORBIDDEN to each role below its own, and to no other',
    async ({ root, field }) => {
      for (const role of ROLES) {
        const codes = await codesOf(root.toLowerCase(), field, role);
        const isAllowed = roleIncludes(role, roleOf(field));
        expect(codes.includes('FORBIDDEN'), role).toBe(!isAllowed);
      }
    },
  );
});

it('only these types and nested fields need a role', () => {
  const found = Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .filter((type) => !ROOTS.includes(type))
    .flatMap((type) => [
      ...('role' in type.extensions ? [[type.name, roleOf(type)]] : []),
      ...Object.values(type.getFields())
        .filter(({ extensions }) => 'role' in extensions)
        .map((field) => [`${type.name}.${field.name}`, roleOf(field)]),
    ]);
  expect(found.sort()).toEqual(NESTED.sort());
});

describe('a viewer without the role', () => {
  const VIEWER = viewerNamed('vera', 'VIEWER');
  const OPERATOR = viewerNamed('otto', 'OPERATOR');

  it('changes nothing, and learns which role it takes', async () => {
    const { errors } = await api.execute(
      'mutation { createTag(input: { name: "forbidden" }) { errors { message } } }',
      {},
      OPERATOR,
    );
    expect(errors).toMatchObject([
      {
        message: 'Mutation.createTag needs the role EDITOR; yours is OPERATOR.',
        path: ['createTag'],
        extensions: { code: 'FORBIDDEN', role: 'EDITOR' },
      },
    ]);
    expect((await api.pool.query(`SELECT FROM job_tags WHERE name = 'forbidden'`)).rowCount).toBe(0);
  });

  it('reads no entry of the audit log and no key by its id', async () => {
    await api.execute('mutation { createApiKey(input: { name: "hidden", role: VIEWER }) { text } }');
    const ids = await api.pool.query<{ id: string; kind: 'ApiKey' | 'AuditLogEntry' }>(
      `SELECT id, 'ApiKey' AS kind FROM api_keys UNION ALL SELECT id, 'AuditLogEntry' FROM job_audit_log`,
    );
    expect(ids.rows.length).toBeGreaterThan(1);
    for (const { id, kind } of ids.rows) {
      const source = `{ node(id: "${encodePublicId(kind, id)}") { id ... on ApiKey { name role } ... on AuditLogEntry { actor } } }`;
      const { data, errors } = await api.execute(source, {}, OPERATOR);
      expect(data).toEqual({ node: null });
      expect(errors[0]?.extensions?.['code']).toBe('FORBIDDEN');
    }
  });

  it('reads no audit log of a job', async () => {
    const { data } = await api.execute(
      'mutation { createJob(input: { name: "A", api: "https://a.test" }) { job { id } } }',
    );
    const { id } = (data as { createJob: { job: { id: string } } }).createJob.job;
    const source = `{ job(id: "${id}") { name auditLog { totalCount } } }`;
    const refused = await api.execute(source, {}, VIEWER);
    expect(refused.errors).toMatchObject([
      { message: 'Job.auditLog needs the role ADMIN; yours is VIEWER.', extensions: { code: 'FORBIDDEN' } },
    ]);
    expect((await api.execute(source)).errors).toEqual([]);
  });

  it('triggers a job with a body of its own only as an EDITOR', async () => {
    const { data } = await api.execute(
      'mutation { createJob(input: { name: "B", api: "https://a.test", method: POST }) { job { id } } }',
    );
    const { id } = (data as { createJob: { job: { id: string } } }).createJob.job;
    const source =
      'mutation ($input: TriggerJobInput!) { triggerJob(input: $input) { execution { id } errors { message } } }';
    const withBody = await api.execute(source, { input: { id, body: { a: 1 } } }, OPERATOR);
    expect(withBody.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN', role: 'EDITOR' } }]);
    const without = await api.execute(source, { input: { id } }, OPERATOR);
    expect(without.errors).toEqual([]);
    expect((await api.pool.query('SELECT FROM job_executions')).rowCount).toBe(1);
  });

  it('subscribes to nothing with less than VIEWER, of which there is no role', () => {
    const needed = Object.values(schema.getSubscriptionType()?.getFields() ?? {}).map(roleOf);
    expect(new Set(needed)).toEqual(new Set(['VIEWER']));
  });
});

it('a viewer reads who they are', async () => {
  const source = '{ viewer { name kind roles } }';
  const { data } = await api.execute(source, {}, viewerNamed('ed', 'EDITOR'));
  expect(data).toEqual({ viewer: { name: 'ed', kind: 'API_KEY', roles: ['VIEWER', 'OPERATOR', 'EDITOR'] } });
});

it('keys are created, listed, rotated and revoked', async () => {
  const source = `mutation ($input: CreateApiKeyInput!) {
    createApiKey(input: $input) { text apiKey { id name role createdBy expiresAt lastUsedAt } errors { code path } }
  }`;
  const input = { name: 'grafana', role: 'VIEWER', expiresAt: '2025-06-01T00:00:00Z' };
  const { createApiKey: created } = await api.query<{
    createApiKey: { text: string; apiKey: { id: string }; errors: unknown[] };
  }>(source, { input });
  expect(created).toEqual({
    text: expect.stringMatching(/^sch_[0-9a-z]{26}_[0-9A-Za-z]{49}$/) as unknown,
    apiKey: {
      id: expect.stringMatching(/^key_/) as unknown,
      name: 'grafana',
      role: 'VIEWER',
      createdBy: 'ada',
      expiresAt: '2025-06-01T00:00:00.000Z',
      lastUsedAt: null,
    },
    errors: [],
  });
  const again = await api.query(source, { input });
  expect(again).toMatchObject({
    createApiKey: { text: null, apiKey: null, errors: [{ code: 'CONFLICT', path: ['name'] }] },
  });

  const { id } = created.apiKey;
  const rotated = await api.query<{ rotateApiKey: { text: string } }>(
    `mutation { rotateApiKey(input: { id: "${id}", graceMs: 1000 }) { text apiKey { previousUntil } } }`,
  );
  expect(rotated.rotateApiKey.text).not.toBe(created.text);
  const revoked = await api.query(
    `mutation { revokeApiKey(input: { id: "${id}" }) { text apiKey { revokedAt } errors { code } } }`,
  );
  expect(revoked).toEqual({
    revokeApiKey: { text: null, apiKey: { revokedAt: expect.any(String) as unknown }, errors: [] },
  });
  const { apiKeys } = await api.query<{ apiKeys: { nodes: { id: string }[]; totalCount: number } }>(
    '{ apiKeys(first: 10) { totalCount nodes { id name } } }',
  );
  expect(apiKeys.nodes.map((node) => node.id)).toContain(id);
  expect(apiKeys.totalCount).toBe(apiKeys.nodes.length);
});

/** The codes of the errors that a role gets for a field, with the fewest arguments that it takes. */
async function codesOf(
  operation: string,
  field: GraphQLField<unknown, unknown>,
  role: Role,
): Promise<unknown[]> {
  const required = field.args.filter(isRequiredArgument);
  const declared = required.map(({ name, type }) => `$${name}: ${String(type)}`).join(', ');
  const given = required.map(({ name }) => `${name}: $${name}`).join(', ');
  const selection = isLeafType(getNamedType(field.type)) ? '' : ' { __typename }';
  const source = `${operation} ${declared && `(${declared})`} { ${field.name}${given && `(${given})`}${selection} }`;
  const variables = Object.fromEntries(required.map(({ name, type }) => [name, minimalInput(type)]));
  const { errors } = await api.execute(source, variables, viewerNamed('any', role));
  return errors.map(({ extensions }) => extensions?.['code']);
}
