/** Whether a key opens what it should. */
export { tryKey } from './opens.ts';
