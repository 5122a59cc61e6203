/**
 * graphql-ws tells the operations of a socket apart by their ids alone. A client may use an id anew as soon as it has completed
 * the operation that had it, which may still run: its results would be sent as those of the new one, and its end taken for the
 * new one's. So graphql-ws gets an id of our own for each: the client's behind a number that is never used twice.
 */
export function ownIdOf(clientId: string, number: number): string {
  return `${number}:${clientId}`;
}

export function clientIdOf(ownId: string): string {
  return ownId.slice(ownId.indexOf(':') + 1);
}

/** Whether an id of our own stands for the client's. Makes no string: it is asked of all operations for each message. */
export function standsFor(ownId: string, clientId: string): boolean {
  return ownId.endsWith(clientId) && ownId.indexOf(':') === ownId.length - clientId.length - 1;
}

/** A message of graphql-ws, which writes the id first, as the client is to get it. */
export function withClientId(message: string): string {
  return message.replace(/^\{"id":"\d+:/, '{"id":"');
}
