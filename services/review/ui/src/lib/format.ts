import type { Source } from '@/lib/contract';

/** A probability as clinicians read it; never 0 % or 100 %, which would claim certainty. */
export function percent(probability: number): string {
  if (probability > 0 && probability < 0.01) return '<1 %';
  if (probability > 0.99 && probability < 1) return '>99 %';
  return `${Math.round(probability * 100)} %`;
}

/** An interval such as `58–80 %`; its ends are no more certain than a probability. */
export function percentInterval([low, high]: readonly [number, number]): string {
  const [from, to] = [percent(low).replace(' %', ''), percent(high)];
  return to.startsWith('>') ? `${from} to ${to}` : `${from}–${to}`;
}

/** A signed number with a real minus sign and two decimals; a third where two would hide it. */
export function signed(value: number): string {
  const text = Math.abs(value).toFixed(Math.abs(value) < 0.01 ? 3 : 2);
  if (Number(text) === 0) return '0.00';
  return `${value < 0 ? '−' : '+'}${text}`;
}

/** A span of time in hours, coarsely: `20 min`, `5 h`, `3 days`. */
export function hours(value: number): string {
  if (value < 1) return `${Math.max(Math.round(value * 60), 0)} min`;
  return value < 48 ? `${Math.round(value)} h` : `${Math.round(value / 24)} days`;
}

export function milliseconds(value: number): string {
  return value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

const DATE_TIME = new Intl.DateTimeFormat(undefined, {
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
});

export function dateTime(value: string | Date): string {
  return DATE_TIME.format(new Date(value));
}

/** How long ago, coarsely: `just now`, `5 min ago`, `3 h ago`, else the date. */
export function ago(value: string | Date, now: Date): string {
  const minutes = (now.getTime() - new Date(value).getTime()) / 60_000;
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${Math.floor(minutes)} min ago`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return dateTime(value);
}

/** `sha256:1234abcd…` short enough to compare by eye. */
export function shortDigest(digest: string): string {
  const [scheme, value] = digest.includes(':') ? digest.split(':', 2) : ['', digest];
  return `${scheme ? `${scheme}:` : ''}${(value ?? '').slice(0, 12)}…`;
}

export const MODALITY_NAMES: Record<Source, string> = {
  image: 'Radiograph',
  note: 'Note',
  vitals: 'Vitals',
  tabular: 'Age and sex',
};

/** `image+note` as `Radiograph × Note`. */
export function modalityNames(key: string): string {
  return key
    .split('+')
    .map((part) => (part in MODALITY_NAMES ? MODALITY_NAMES[part as Source] : part))
    .join(' × ');
}
