import type { Role } from '../../src/domain/access/role.ts';
import type { Viewer } from '../../src/domain/access/viewer.ts';

/** A viewer with an API key of this name and role. */
export function viewerNamed(name: string, role: Role = 'ADMIN'): Viewer {
  return { name, kind: 'API_KEY', role, fingerprint: `${name} ${role}` };
}

/** The viewer that most tests of the API ask as. Their `CALLER` has the same name. */
export const ADA = viewerNamed('ada');
