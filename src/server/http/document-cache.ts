import type { DocumentNode } from 'graphql';

/** What Yoga's parser cache asks for. */
export interface DocumentCache {
  get: (query: string) => DocumentNode | undefined;
  set: (query: string, document: DocumentNode) => void;
}

/**
 * Remembers parsed documents, the least recently used forgotten first, bounded by the characters they were parsed
 * from: a bound by number would let a client fill the memory with a thousand large ones.
 */
export function createDocumentCache(maxCharacters: number): DocumentCache {
  const documents = new Map<string, DocumentNode>();
  let characters = 0;

  return {
    get(query) {
      const document = documents.get(query);
      if (document === undefined) return undefined;
      // A Map keeps the order of insertion: the first key is the one unused for longest.
      documents.delete(query);
      documents.set(query, document);
      return document;
    },
    set(query, document) {
      if (documents.has(query)) return;
      documents.set(query, document);
      characters += query.length;
      for (const oldest of documents.keys()) {
        if (characters <= maxCharacters) break;
        documents.delete(oldest);
        characters -= oldest.length;
      }
    },
  };
}
