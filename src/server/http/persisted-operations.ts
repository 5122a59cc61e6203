import { createHash } from 'node:crypto';
import { GraphQLError } from 'graphql';

/** Whether operations may be named instead of sent (`allowed`), or must be among those that are known (`required`). */
export type PersistedOperationsMode = 'off' | 'allowed' | 'required';

/** What names or holds an operation, of a request or of a websocket's message. */
export interface OperationParams {
  query?: unknown;
  /** The name, as the draft of GraphQL over HTTP has it. */
  documentId?: unknown;
  /** `persistedQuery.sha256Hash` is the name, as Apollo has it. */
  extensions?: unknown;
}

export interface PersistedOperations {
  /**
   * The document to be executed: the one that is named, or else the one that was sent; undefined where there is neither.
   *
   * @throws {GraphQLError} with a code where the name is unknown, or the document is none that may be executed
   */
  queryOf: (params: OperationParams) => string | undefined;
}

/** @param documents the known documents by their names */
export function createPersistedOperations(
  mode: PersistedOperationsMode,
  documents: ReadonlyMap<string, string>,
): PersistedOperations {
  const allowedTexts = new Set(documents.values());

  function named(id: string): string {
    const document = documents.get(id);
    if (document !== undefined) return document;
    // Apollo and urql know these messages, and then send the document itself.
    if (mode === 'off') throw refusal('PERSISTED_OPERATION_NOT_SUPPORTED', 'PersistedQueryNotSupported');
    if (mode === 'allowed') throw refusal('PERSISTED_OPERATION_NOT_FOUND', 'PersistedQueryNotFound');
    throw refusal('PERSISTED_OPERATION_NOT_FOUND', 'No persisted operation has this id.');
  }

  return {
    queryOf(params) {
      // Over a websocket the protocol asks for a query, which is empty where the operation is named.
      const query = typeof params.query === 'string' && params.query !== '' ? params.query : undefined;
      if (query === undefined) {
        const id = idOf(params);
        return id === undefined ? undefined : named(id);
      }
      if (mode === 'required' && !allowedTexts.has(query)) {
        throw refusal(
          'PERSISTED_OPERATION_REQUIRED',
          'This server executes persisted operations only: name one by its id, or send one of them letter for letter.',
        );
      }
      return query;
    },
  };
}

/**
 * Reads a list of documents: a JSON object of ids and documents, such as the client preset of GraphQL Code Generator writes.
 *
 * @throws {Error} saying what is wrong with it
 */
export function parsePersistedOperations(text: string): Map<string, string> {
  const documents = new Map<string, string>();
  for (const [id, document] of Object.entries(objectOf(text))) {
    if (typeof document !== 'string') throw new Error(`the document of ${id} is not a string`);
    const hash = sha256(document);
    if (SHA256.test(id) && id.toLowerCase().replace(PREFIX, '') !== hash)
      throw new Error(`the id ${id} is not the SHA-256 of its document, which is ${hash}`);
    documents.set(id, document);
    // Whatever it is called in the list, Apollo names it so.
    documents.set(hash, document);
    documents.set(`${PREFIX}${hash}`, document);
  }
  return documents;
}

function objectOf(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('it is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('it is not a JSON object of ids and documents');
  return value;
}

const SHA256 = /^(sha256:)?[0-9a-f]{64}$/i;
/** Before a hash, by the draft of GraphQL over HTTP. */
const PREFIX = 'sha256:';

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function idOf({ documentId, extensions }: OperationParams): string | undefined {
  if (typeof documentId === 'string' && documentId !== '') return documentId;
  const { persistedQuery } = (extensions ?? {}) as { persistedQuery?: { sha256Hash?: unknown } | null };
  const hash = persistedQuery?.sha256Hash;
  return typeof hash === 'string' ? hash.toLowerCase() : undefined;
}

function refusal(code: string, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code, http: { status: 400, spec: true } } });
}
