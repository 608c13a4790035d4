import { objectKeyInvalid } from './errors.ts';

const component = /^[A-Za-z0-9_:+-][A-Za-z0-9._:+-]{0,254}$/;
const longestKey = 512;

/** Whether `text` is a key that every destination takes. No component begins with a dot, so none climbs out or hides. */
export function isKey(text: string): boolean {
  return text.length <= longestKey && text.split('/').every((name) => component.test(name));
}

/** One folder or object name inside a key. */
export function isKeyComponent(name: string): boolean {
  return component.test(name);
}

/** Throws `object-key-invalid` unless `key` is a key. */
export function requireKey(destination: string, key: string): void {
  if (!isKey(key)) throw objectKeyInvalid({ destination, key });
}

/** Throws `object-key-invalid` unless `prefix` is empty, or a key and `/`. */
export function requirePrefix(destination: string, prefix: string): void {
  if (prefix !== '' && !(prefix.endsWith('/') && isKey(prefix.slice(0, -1)))) {
    throw objectKeyInvalid({ destination, key: prefix });
  }
}
