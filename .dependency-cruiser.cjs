/** The import table of docs/architecture.md, enforced. A folder may import itself and what its row names. */
const FOLDERS = [
  'async',
  'config',
  'domain',
  'store',
  'http',
  'events',
  'engine',
  'alerts',
  'commands',
  'access',
  'cli',
  'graphql',
  'server',
  'logging',
  'database',
  'generated',
];

const ALLOWED = {
  async: [],
  config: ['domain'],
  domain: [],
  database: [],
  logging: [],
  store: ['domain', 'generated', 'database'],
  http: ['domain'],
  events: ['domain', 'store', 'database'],
  engine: ['domain', 'store', 'http', 'events'],
  alerts: ['domain', 'store', 'events', 'http'],
  commands: ['domain', 'store', 'events'],
  access: ['commands', 'domain', 'store'],
  cli: ['commands', 'config', 'database', 'domain', 'events', 'store'],
  graphql: ['commands', 'events', 'domain', 'generated'],
  server: ['graphql', 'domain'],
};

const folderRules = Object.entries(ALLOWED).map(([folder, allowed]) => {
  const forbidden = FOLDERS.filter(
    (other) => other !== folder && other !== 'logging' && other !== 'async' && !allowed.includes(other),
  );
  return {
    name: `${folder}-imports`,
    comment: `src/${folder} may import ${['itself', ...allowed].join(', ')} logging and async.`,
    severity: 'error',
    from: { path: `^src/${folder}/` },
    to: { path: [`^src/(${forbidden.join('|')})/`, '^src/(app|main)\\.ts$'] },
  };
});

/** A package without code, which the resolver does not find. */
const TYPES_ONLY = '^@graphql-typed-document-node/core$';

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'domain-is-pure',
      comment: 'domain/ does no I/O: no packages and no Node modules but those named here.',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: {
        pathNot: [
          '^src/domain/',
          'node_modules/(cron-parser|temporal-polyfill|temporal-spec|cronstrue|typeid-js|micromustache|luxon)/',
          '^node:crypto$',
          '^node:zlib$',
          '^zlib$',
          '^crypto$',
        ],
      },
    },
    {
      name: 'cron-parser-in-one-file',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/domain/schedule/(schedule|cron)[^/]*\\.ts$' },
      to: { path: 'node_modules/cron-parser/' },
    },
    {
      name: 'got-only-in-http',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/http/' },
      to: { path: 'node_modules/got/' },
    },
    {
      name: 'only-main-imports-app',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/main\\.ts$' },
      to: { path: '^src/(app|main)\\.ts$' },
    },
    {
      name: 'no-loose-files',
      comment: 'Each file of src/ stands in a room; only the entry and the composition root are loose.',
      severity: 'error',
      from: {},
      to: { path: '^src/[^/]+\\.ts$', pathNot: '^src/(app|main)\\.ts$' },
    },
    {
      name: 'no-dev-dependencies-in-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'client-stands-alone',
      comment: 'client/ runs in browsers, and in projects that have nothing else of this one.',
      severity: 'error',
      from: { path: '^client/src/' },
      to: {
        pathNot: [
          '^client/src/',
          'node_modules/(graphql|graphql-ws|@urql|urql|wonka|@apollo/client|react|@types/react)/',
          TYPES_ONLY,
        ],
      },
    },
    {
      name: 'client-core-knows-no-client',
      comment: 'What resumes is common to all clients; urql and Apollo are thin.',
      severity: 'error',
      from: {
        path: '^client/src/',
        pathNot: '^client/src/(react/)?(urql|apollo|graphcache)\\.ts$|^client/src/generated/',
      },
      to: { path: ['node_modules/(@urql|urql|wonka|@apollo)/', '^client/src/(urql|apollo)\\.ts$'] },
    },
    {
      name: 'react-in-its-folder',
      comment: 'Whoever has no React needs none.',
      severity: 'error',
      from: { path: '^client/src/', pathNot: '^client/src/react/' },
      to: { path: ['node_modules/(@types/)?react/', '^client/src/react/'] },
    },
    {
      name: 'server-without-client',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^client/' },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: { path: '^(client/)?src/' },
      to: { couldNotResolve: true, pathNot: TYPES_ONLY },
    },
    ...folderRules,
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^(client/)?src/generated'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
