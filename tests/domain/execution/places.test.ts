import { describe, expect, it } from 'vitest';
import {
  backlogPlaces,
  givePlaces,
  keepPlaces,
  openPlaces,
  placesPerHost,
} from '../../../src/domain/execution/places.ts';

const LIMITS = { maxConcurrency: 500, maxConcurrencyPerHost: 50 };

describe('the places of an instance', () => {
  it('are open to every host up to its own limit, except for the last fifth', () => {
    expect(placesPerHost(LIMITS, 0)).toBe(50);
    expect(placesPerHost(LIMITS, 399)).toBe(50);
    expect(placesPerHost(LIMITS, 400)).toBe(1);
    expect(placesPerHost(LIMITS, 499)).toBe(1);
  });

  it('cannot be used up by fewer hosts than there are reserved places, in any order of arrival', () => {
    const hostsToExhaust = ({ maxConcurrency }: typeof LIMITS) => {
      let calling = 0;
      let hosts = 0;
      for (; calling < maxConcurrency; hosts += 1) {
        let own = 0;
        while (calling < maxConcurrency && own < placesPerHost(LIMITS, calling)) {
          own += 1;
          calling += 1;
        }
      }
      return hosts;
    };
    expect(hostsToExhaust(LIMITS)).toBeGreaterThanOrEqual(100);
  });

  it('are all open when there are too few to reserve any', () => {
    expect([1, 2, 4, 5, 10].map(openPlaces)).toEqual([1, 2, 4, 4, 8]);
  });

  it('are a quarter for a backlog, and one at least', () => {
    expect([1, 3, 4, 8, 500].map(backlogPlaces)).toEqual([1, 1, 1, 2, 125]);
  });
});

describe('free places', () => {
  it('go to the first claims, as many as are free', () => {
    const free = { executions: 2, perHost: 50, load: new Map<string, number>() };
    expect(givePlaces(['a', 'b', 'c'], free)).toEqual([true, true, false]);
    expect(givePlaces(['a'], { ...free, executions: 0 })).toEqual([false]);
    expect(givePlaces(['a'], { ...free, executions: -3 })).toEqual([false]);
  });

  it('do not exceed the limit of a host, including what it already has', () => {
    const load = new Map([
      ['busy', 1],
      ['full', 2],
      ['fast', -1],
    ]);
    const free = { executions: 100, perHost: 2, load };
    const hosts = ['full', 'busy', 'busy', 'fast', 'fast', 'fast', 'fast', 'new', 'new', 'new'];
    expect(hosts.filter((_, index) => givePlaces(hosts, free)[index])).toEqual([
      'busy',
      'fast',
      'fast',
      'fast',
      'new',
      'new',
    ]);
    expect(load.get('busy')).toBe(1);
  });

  it('are fewer when some are reserved, at the hosts that have the reserve', () => {
    const load = new Map([
      ['busy', 1],
      ['fast', -1],
    ]);
    const free = { executions: 10, perHost: 2, load };
    expect(keepPlaces(free, ['busy', 'new', 'new'])).toEqual({
      executions: 7,
      perHost: 2,
      load: new Map([
        ['busy', 2],
        ['fast', -1],
        ['new', 2],
      ]),
    });
    expect(keepPlaces(free, [])).toEqual(free);
    expect(load.get('busy')).toBe(1);
  });
});
