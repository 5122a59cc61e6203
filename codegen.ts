import type { CodegenConfig } from '@graphql-codegen/cli';

/**
 * `npm run codegen` makes typed documents of the operations in docs/examples, as a client would of its own: a change
 * of the schema that breaks clients fails here. What it writes is not committed.
 */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  documents: 'docs/examples/*.graphql',
  generates: {
    'src/generated/client/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        scalars: { DateTime: 'string', JSON: 'unknown' },
        strictScalars: true,
        enumsAsTypes: true,
        useTypeImports: true,
        arrayInputCoercion: false,
      },
    },
  },
  importExtension: '.ts',
};

export default config;
