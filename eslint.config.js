import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      '**/dist/',
      'data/',
      'logs/',
      'coverage/',
      '**/src/generated/',
      '.compiling-*/',
      '.generating-*/',
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.js', '*.cjs'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      'no-console': 'error',
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      // Checked more strictly than methods, and such a function may be handed on without its object.
      '@typescript-eslint/method-signature-style': ['error', 'property'],
      // Numbers are safe in a template; objects, which print as [object Object], stay forbidden.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // `type` and `interface` differ where an index signature is wanted; the author chooses.
      '@typescript-eslint/consistent-type-definitions': 'off',
      // A promise handed to a callback that ignores it is how unhandled rejections are born; JSX attributes do not exist here.
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  {
    // Functions that are read without scrolling. A test's describe holds many tests, each a function of its own.
    files: ['src/**/*.ts', 'client/src/**/*.ts', 'scripts/**', 'bench/**'],
    rules: { 'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }] },
  },
  {
    // winston declares its transports by interfaces beside the class that they extend.
    files: ['src/logging/**'],
    rules: { '@typescript-eslint/no-unsafe-class-instance-assignment': 'off' },
  },
  {
    // What a person runs and reads on a terminal may write to it.
    files: ['scripts/**', 'bench/**'],
    rules: { 'no-console': 'off' },
  },
  { files: ['**/*.js', '**/*.mjs', '**/*.cjs'], ...tseslint.configs.disableTypeChecked },
  { files: ['**/*.cjs'], languageOptions: { globals: { module: 'writable' } } },
);
