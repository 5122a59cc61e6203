import { readFileSync } from 'node:fs';
import { MECHANISMS, type Mechanism } from '../ablation/mechanisms.ts';
import { PROBES, type Measured, type Probe } from '../ablation/probes.ts';
import { median, type BenchContext, type Figure, type Part } from '../harness/bench.ts';

/**
 * What each mechanism buys: the product as it is, without one mechanism after the other, and as it is once more. Measures of
 * the product as it is are averages of the two. `BENCH_MECHANISMS` names some, with commas in between; all otherwise.
 */
export const ablation: Part = {
  name: 'ablation',
  runsOnlyByName: true,
  async run(context) {
    const figures: Figure[] = [];
    for (const [name, probe] of Object.entries(PROBES)) {
      const mechanisms = chosen().filter(({ probes }) => probes.some((each) => each === name));
      if (mechanisms.length > 0) figures.push(...(await compare(context, probe, mechanisms)));
    }
    return figures;
  },
};

async function compare(
  context: BenchContext,
  probe: Probe,
  mechanisms: readonly Mechanism[],
): Promise<Figure[]> {
  const whole: Measured[][] = [];
  const without = mechanisms.map((mechanism) => ({ mechanism, rounds: [] as Measured[][] }));
  for (let round = 1; round <= context.rounds; round += 1) {
    const before = await probe(context);
    for (const { mechanism, rounds } of without) rounds.push(await lacking(mechanism, () => probe(context)));
    whole.push(averaged(before, await probe(context)));
  }
  const figures = without.flatMap(({ mechanism, rounds }) => compared(mechanism.name, whole, rounds));
  for (const figure of figures) report(context, figure);
  return figures;
}

function averaged(before: readonly Measured[], after: readonly Measured[]): Measured[] {
  return before.map((one, index) => ({ ...one, value: (one.value + (after[index]?.value ?? NaN)) / 2 }));
}

function chosen(): readonly Mechanism[] {
  const names = process.env['BENCH_MECHANISMS']?.split(',');
  const found = MECHANISMS.filter(({ name }) => names?.includes(name) ?? true);
  if (names && found.length < names.length)
    throw new Error(`There are ${MECHANISMS.map(({ name }) => name).join(', ')}`);
  return found;
}

/** Runs something while each product that is started goes without a mechanism. */
async function lacking<T>({ file, from, to }: Mechanism, work: () => Promise<T>): Promise<T> {
  const compiled = file.replace(/\.ts$/, '.js');
  // The product would start as it is if the file were not there.
  readFileSync(new URL(`../../dist/${compiled}`, import.meta.url));
  process.env['BENCH_REPLACE'] = JSON.stringify({ file: compiled, from, to });
  try {
    return await work();
  } finally {
    delete process.env['BENCH_REPLACE'];
  }
}

function compared(name: string, withIt: Measured[][], without: Measured[][]): Figure[] {
  return (withIt[0] ?? []).map(({ measure, unit, better }, index) => {
    const of = (rounds: Measured[][]) => median(rounds.map((round) => round[index]?.value ?? NaN));
    const [present, absent] = [of(withIt), of(without)];
    const worse = better === 'higher' ? present / absent : absent / present;
    return {
      goal: null,
      measure: `${name}: ${measure}`,
      value: 100 * (worse - 1),
      unit: '% worse without',
      detail: { with: present, without: absent, unit },
    };
  });
}

function report({ note }: BenchContext, { measure, value, detail }: Figure): void {
  note(`ablation: ${measure}: ${value.toFixed(1)} % worse without (${JSON.stringify(detail)})`);
}
