/** What a .dockerignore says. Paths are relative to the context, with slashes; the context itself is ''. */
export interface IgnoreRules {
  /** Whether a path is kept out of the build. */
  ignores: (path: string) => boolean;
  /** Whether an ignored folder may still hold something that is not. */
  mayKeepWithin: (folder: string) => boolean;
}

/** Reads a .dockerignore. The last line that matches a path, or a folder above it, decides. */
export function parseDockerignore(text: string): IgnoreRules {
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const keeps = line.startsWith('!');
      const pattern = (keeps ? line.slice(1) : line).replace(/^\/|\/$/g, '');
      return { keeps, pattern, expression: toExpression(pattern) };
    });
  return {
    ignores: (path) =>
      path !== '' && rules.findLast(({ expression }) => expression.test(path))?.keeps === false,
    mayKeepWithin: (folder) => rules.some(({ keeps, pattern }) => keeps && pattern.startsWith(`${folder}/`)),
  };
}

function toExpression(pattern: string): RegExp {
  const parts = pattern.split(/(\*\*\/|\*\*|\*|\?)/).map((part) => {
    if (part === '**/') return '(?:.*/)?';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    return part.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}(?:/.*)?$`);
}
