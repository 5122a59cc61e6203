import type { CodegenConfig } from '@graphql-codegen/cli';
import { addTypenameSelectionDocumentTransform } from '@graphql-codegen/client-preset';
import { scalars } from './client/src/codegen.ts';

/**
 * Typed documents of the operations in client/documents. `npm run generate` runs it where one of its sources has
 * changed: a change of the schema that breaks clients fails there. What it writes is not committed.
 */
const config: CodegenConfig = {
  schema: 'schema.graphql',
  silent: true,
  generates: {
    'client/src/generated/': {
      documents: 'client/documents/*.graphql',
      preset: 'client',
      presetConfig: {
        fragmentMasking: false,
        skipIndexFile: true,
        // Ids in the documents, and persisted-documents.json, the list of what a server may allow.
        persistedDocuments: { hashAlgorithm: 'sha256' },
      },
      // Clients add it to what they send; a persisted operation must have it already.
      documentTransforms: [addTypenameSelectionDocumentTransform],
      config: {
        scalars,
        strictScalars: true,
        enumsAsTypes: true,
        useTypeImports: true,
        arrayInputCoercion: false,
      },
    },
    'client/src/generated/schema-facts.ts': { plugins: ['scripts/codegen-facts.mjs'] },
    'client/src/generated/introspection.ts': { plugins: ['scripts/codegen-introspection.mjs'] },
  },
  importExtension: '.ts',
};

export default config;
