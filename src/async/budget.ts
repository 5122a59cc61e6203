/** What somebody holds of a budget. */
export interface Part {
  /** Gives back all but so much; 0 gives back the rest. */
  keep: (amount: number) => void;
}

/** An amount that is given out in parts, in the order in which they are asked for. */
export interface Budget {
  /** A part at once where there is room for it, else when there is; null where none has come within `waitMs`. */
  take: (amount: number, waitMs?: number) => Part | Promise<Part | null>;
}

interface Waiting {
  amount: number;
  begin: (part: Part) => void;
}

/** @param total what all parts come to at most; who asks for more gets all of it */
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
          // Those behind may need less.
          goOn();
        }
        waiting.add(entry);
      });
    },
  };
}
