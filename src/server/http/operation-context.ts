import type { GraphQLParams } from 'graphql-yoga';
import type { Delivery } from '../websocket/delivery.ts';
import type { RequestFacts } from './request-facts.ts';

/** What a transport hands to Yoga with each operation; `params` is absent where the transport executes by itself. */
export interface OperationContext extends Record<string, unknown> {
  facts: RequestFacts;
  delivery: Delivery;
  params?: GraphQLParams;
}
