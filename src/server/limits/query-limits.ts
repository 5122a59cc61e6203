import { GraphQLError, Kind, Lexer, parse, Source, TokenKind } from 'graphql';
import type { DocumentNode, FragmentDefinitionNode, ParseOptions, SelectionSetNode } from 'graphql';
import {
  MAX_NESTING,
  MAX_QUERY_ALIASES,
  MAX_QUERY_CHARACTERS,
  MAX_QUERY_DEPTH,
  MAX_QUERY_FIELDS,
  MAX_QUERY_INTROSPECTIONS,
  MAX_QUERY_TOKENS,
} from './limits.ts';

/** What an operation costs at least, with its fragments written out. */
interface Size {
  depth: number;
  fields: number;
  aliases: number;
  introspections: number;
}

const INTROSPECTIONS = new Set(['__schema', '__type']);

const EMPTY: Size = { depth: 0, fields: 0, aliases: 0, introspections: 0 };

/**
 * Parses a document and refuses one that is too large. Refusing before validation matters: validation compares fields
 * pair by pair, so its cost grows with the square of what is let through here.
 *
 * @throws {GraphQLError} with code GRAPHQL_PARSE_FAILED or QUERY_LIMIT_EXCEEDED
 */
export function parseWithinLimits(source: string | Source, options?: ParseOptions): DocumentNode {
  const text = typeof source === 'string' ? source : source.body;
  if (text.length > MAX_QUERY_CHARACTERS) throw limitExceeded(`${MAX_QUERY_CHARACTERS} characters`);
  if (nestsTooDeeply(text)) throw limitExceeded(`${MAX_NESTING} levels of brackets`);
  const document = parseCounting(source, options);
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) checkSize(measure(definition.selectionSet, document));
  }
  return document;
}

const OPENING: ReadonlySet<TokenKind> = new Set([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L]);
const CLOSING: ReadonlySet<TokenKind> = new Set([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R]);

/** Reads tokens up to where the parser would stop. What is no token it leaves to the parser to tell of. */
function nestsTooDeeply(text: string): boolean {
  const lexer = new Lexer(new Source(text));
  let levels = 0;
  try {
    for (let tokens = 0; tokens <= MAX_QUERY_TOKENS; tokens += 1) {
      const { kind } = lexer.advance();
      if (kind === TokenKind.EOF) return false;
      if (OPENING.has(kind)) levels += 1;
      if (CLOSING.has(kind)) levels -= 1;
      if (levels > MAX_NESTING) return true;
    }
  } catch {
    return false;
  }
  return false;
}

function parseCounting(source: string | Source, options?: ParseOptions): DocumentNode {
  try {
    return parse(source, { ...options, maxTokens: MAX_QUERY_TOKENS });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    if (error.message.includes('tokens. Parsing aborted')) throw limitExceeded(`${MAX_QUERY_TOKENS} tokens`);
    throw new GraphQLError(error.message, {
      source: error.source,
      positions: error.positions,
      extensions: { code: 'GRAPHQL_PARSE_FAILED' },
    });
  }
}

function checkSize({ depth, fields, aliases, introspections }: Size): void {
  if (depth > MAX_QUERY_DEPTH) throw limitExceeded(`a depth of ${MAX_QUERY_DEPTH}`);
  if (fields > MAX_QUERY_FIELDS) throw limitExceeded(`${MAX_QUERY_FIELDS} fields`);
  if (aliases > MAX_QUERY_ALIASES) throw limitExceeded(`${MAX_QUERY_ALIASES} aliases`);
  if (introspections > MAX_QUERY_INTROSPECTIONS)
    throw limitExceeded(`${MAX_QUERY_INTROSPECTIONS} introspections`);
}

/** Measures each fragment once, so the effort is linear in the document however often fragments are spread. */
function measure(operation: SelectionSetNode, document: DocumentNode): Size {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  const measured = new Map<string, Size>();

  function measureFragment(name: string): Size {
    const known = measured.get(name);
    if (known) return known;
    // Stands for the fragment inside itself; a cycle or an unknown name is for validation to refuse.
    measured.set(name, EMPTY);
    const fragment = fragments.get(name);
    const size = fragment ? measureSelections(fragment.selectionSet) : EMPTY;
    measured.set(name, size);
    return size;
  }

  function measureSelections({ selections }: SelectionSetNode): Size {
    const total = { ...EMPTY };
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const inner = selection.selectionSet ? measureSelections(selection.selectionSet) : EMPTY;
        // Introspection nests deeper than any data, and graphql-js bounds it by a rule of its own.
        const { value: name } = selection.name;
        add(total, {
          depth: name.startsWith('__') ? 0 : inner.depth + 1,
          fields: inner.fields + 1,
          aliases: inner.aliases + (selection.alias ? 1 : 0),
          introspections: inner.introspections + (INTROSPECTIONS.has(name) ? 1 : 0),
        });
      } else if (selection.kind === Kind.FRAGMENT_SPREAD) {
        add(total, measureFragment(selection.name.value));
      } else {
        add(total, measureSelections(selection.selectionSet));
      }
    }
    return total;
  }

  return measureSelections(operation);
}

function add(total: Size, part: Size): void {
  total.depth = Math.max(total.depth, part.depth);
  total.fields += part.fields;
  total.aliases += part.aliases;
  total.introspections += part.introspections;
}

/** The refusal of a query for its size. */
export function limitExceeded(limit: string): GraphQLError {
  return new GraphQLError(`The query is larger than the limit of ${limit}.`, {
    extensions: { code: 'QUERY_LIMIT_EXCEEDED', http: { status: 400, spec: true } },
  });
}
