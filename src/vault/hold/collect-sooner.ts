import { setFlagsFromString } from 'node:v8';

/** More objects are a long history: what is learned of it stays, and what is left behind with it grows as fast. */
const mostUsual = 1000;

/**
 * For who holds so many objects. Beyond the usual, V8 collects garbage from now on, in all of this process, when its heap has grown by two
 * fifths since the last time, where it would let it become three times as large. What a listing of a million objects leaves behind was
 * more than half of the memory that was held (measured), and a collection takes a few hundredths of a second; given to every command, it
 * took a tenth of a restore's processor time.
 */
export function collectSooner(objects: number): void {
  if (objects > mostUsual) setFlagsFromString('--heap-growing-percent=40');
}
