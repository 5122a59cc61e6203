import v8 from 'node:v8';
import vm from 'node:vm';

v8.setFlagsFromString('--allow-natives-syntax');
const haveSameShape = vm.runInThisContext('(a, b) => %HaveSameMap(a, b)') as (
  a: object,
  b: object,
) => boolean;

/** Node gives the first objects that an expression makes other shapes than those to come. */
const FIRST_ONES = 20;

/**
 * How many shapes (hidden classes) the objects have that come after the first {@link FIRST_ONES}. More than one or two means
 * that each gets a shape of its own, which makes it slow to make, slow to read and slow to get rid of.
 */
export function shapesOf(objects: readonly object[]): number {
  const shapes: object[] = [];
  for (const object of objects.slice(FIRST_ONES)) {
    if (!shapes.some((known) => haveSameShape(known, object))) shapes.push(object);
  }
  return shapes.length;
}
