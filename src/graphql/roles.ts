import SchemaBuilder, {
  BasePlugin,
  type PothosOutputFieldConfig,
  type PothosTypeConfig,
  type SchemaTypes,
} from '@pothos/core';
import type { GraphQLError, GraphQLResolveInfo } from 'graphql';
import { type Role, roleIncludes } from '../domain/access/role.ts';
import type { Viewer } from '../domain/access/viewer.ts';
import { clientError } from './errors.ts';

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- how Pothos registers plugins
  export namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      declaredRoles: DeclaredRoles<Types>;
    }
  }
}

/** The scope of Pothos' plugin: the role that a viewer must have at least. */
export interface RoleScope {
  role: Role;
}

/** What a field or a type says of itself: only viewers with this role may read it. */
export function needs(role: Role): RoleScope {
  return { role };
}

/** The scopes of one viewer. */
export function scopesOf({ role: held }: Viewer): { role: (needed: Role) => boolean } {
  return { role: (needed) => roleIncludes(held, needed) };
}

/** The error for a viewer whose role is not enough for a field. */
export function forbiddenField({ parentType, fieldName }: GraphQLResolveInfo, viewer: Viewer): GraphQLError {
  const field = parentType.getFields()[fieldName];
  const needed = (field?.extensions['role'] ?? parentType.extensions['role']) as Role;
  return forbidden(`${parentType.name}.${fieldName}`, needed, viewer);
}

/** The error for a viewer whose role is not enough for something. */
export function forbidden(what: string, needed: Role, { role }: Viewer): GraphQLError {
  return clientError('FORBIDDEN', `${what} needs the role ${needed}; yours is ${role}.`, { role: needed });
}

/**
 * A plugin of Pothos that denies by default: a root field without a role is no schema. The description of each field and type
 * with a role names it, and so do its extensions.
 */
class DeclaredRoles<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onOutputFieldConfig(field: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const { authScopes }: { authScopes?: unknown } = field.pothosOptions;
    const role = roleIn(authScopes);
    if (role !== null) return { ...field, ...declared(field, role) };
    const isAtRoot = field.kind === 'Query' || field.kind === 'Mutation' || field.kind === 'Subscription';
    if (isAtRoot) throw new Error(`${field.parentType}.${field.name} does not say which role it needs`);
    return field;
  }

  override onTypeConfig(type: PothosTypeConfig): PothosTypeConfig {
    const role = 'authScopes' in type.pothosOptions ? roleIn(type.pothosOptions.authScopes) : null;
    return role === null ? type : { ...type, ...declared(type, role) };
  }
}

function declared(
  {
    description,
    extensions,
  }: { description?: string | null | undefined; extensions?: object | null | undefined },
  role: Role,
): { description: string; extensions: Record<string, unknown> } {
  return {
    description: [description, `Needs the role ${role}.`].join(' ').trim(),
    extensions: { ...extensions, role },
  };
}

function roleIn(scopes: unknown): Role | null {
  return typeof scopes === 'object' && scopes !== null && 'role' in scopes ? (scopes.role as Role) : null;
}

SchemaBuilder.registerPlugin('declaredRoles', DeclaredRoles);
