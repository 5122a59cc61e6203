import { describe, expect, it } from 'vitest';
import { backlogPlaces, openPlaces, placesPerHost } from '../../src/domain/places.ts';

const LIMITS = { maxConcurrency: 500, maxConcurrencyPerHost: 50 };

describe('the places of an instance', () => {
  it('are open to every host up to its own limit, but for the last fifth', () => {
    expect(placesPerHost(LIMITS, 0)).toBe(50);
    expect(placesPerHost(LIMITS, 399)).toBe(50);
    expect(placesPerHost(LIMITS, 400)).toBe(1);
    expect(placesPerHost(LIMITS, 499)).toBe(1);
  });

  it('cannot be used up by fewer hosts than there are reserved places, whatever the order in which these come', () => {
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

  it('are all open where there are too few to keep any', () => {
    expect([1, 2, 4, 5, 10].map(openPlaces)).toEqual([1, 2, 4, 4, 8]);
  });

  it('are a quarter for a backlog, and one at least', () => {
    expect([1, 3, 4, 8, 500].map(backlogPlaces)).toEqual([1, 1, 1, 2, 125]);
  });
});
