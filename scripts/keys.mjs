// npm run keys
import { runCompiled } from './run-compiled.mjs';

await runCompiled('cli/keys.js');
