/** One GraphQL operation over HTTP; throws what the server has against it. */
export async function request<Data>(url: string, query: string, variables: object = {}): Promise<Data> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data?: Data; errors?: { message: string }[] };
  if (data === undefined || errors) throw new Error(errors?.map(({ message }) => message).join('; '));
  return data;
}
