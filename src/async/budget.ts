/** A part of a budget that a caller holds. */
export interface Part {
  /** Keeps this much and gives back the rest; 0 gives back all. */
  keep: (amount: number) => void;
}

/** An amount that callers take in parts, in the order of their requests. */
export interface Budget {
  /** Takes a part at once when there is room, else later; null when there is no room within `waitMs`. */
  take: (amount: number, waitMs?: number) => Part | Promise<Part | null>;
}

interface Waiting {
  amount: number;
  begin: (part: Part) => void;
}

/** @param total the most that all parts may have together; a larger request gets all of it */
export function createBudget(total: number): Budget {
  const waiting = new Set<Waiting>();
  let free = total;

  function partOf(amount: number): Part {
    let held = amount;
    free -= amount;
    return {
      keep(kept) {
        const left = Math.min(held, kept);
        free += held - left;
        held = left;
        goOn();
      },
    };
  }

  function goOn(): void {
    for (const first of waiting) {
      if (first.amount > free) return;
      waiting.delete(first);
      first.begin(partOf(first.amount));
    }
  }

  return {
    take(asked, waitMs) {
      const amount = Math.min(asked, total);
      if (waiting.size === 0 && amount <= free) return partOf(amount);
      return new Promise((resolve) => {
        const entry: Waiting = {
          amount,
          begin(part) {
            clearTimeout(timer);
            resolve(part);
          },
        };
        const timer = waitMs === undefined ? undefined : setTimeout(giveUp, waitMs);
        function giveUp(): void {
          waiting.delete(entry);
          resolve(null);
          // Later requests may need less.
          goOn();
        }
        waiting.add(entry);
      });
    },
  };
}
