/**
 * Reads the rows that were found for each owner, by one statement for all of them, and by none where there are none.
 *
 * @param found per owner the ids of its rows, in their order
 * @returns per owner its rows in that order; what is gone since it was found is left out
 */
export async function rowsOfOwners<Row extends { id: string }>(
  found: ReadonlyMap<string, readonly string[]>,
  read: (ids: string[]) => Promise<Row[]>,
): Promise<Map<string, Row[]>> {
  const ids = [...found.values()].flat();
  const rows = ids.length === 0 ? [] : await read(ids);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return new Map([...found].map(([owner, own]) => [owner, own.flatMap((id) => byId.get(id) ?? [])]));
}
