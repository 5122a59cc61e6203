import { compile, isCompiled } from '../../scripts/compile.mjs';

/**
 * Compiles what has changed before any server starts: several that start at once would each compile, and on a busy
 * machine be given up before they are ready.
 */
export default function setup() {
  if (!isCompiled() && !compile({ check: false })) throw new Error('The servers cannot be compiled');
}
