import { percent, percentInterval } from '@/lib/format';

type Props = { probability: number; interval: readonly [number, number]; label: string; strong?: boolean };

/** A probability from 0 to 1 as a bar, with its interval drawn over it. */
export function IntervalBar({ probability, interval, label, strong = true }: Props) {
  const [low, high] = interval;
  const text = `${label}: ${percent(probability)}, interval ${percentInterval(interval)}`;
  return (
    <div className={`interval-bar ${strong ? '' : 'interval-bar-weak'}`} role="img" aria-label={text}>
      <span className="interval-fill" style={{ width: `${probability * 100}%` }} />
      <span className="interval-range" style={{ left: `${low * 100}%`, width: `${Math.max(high - low, 0.004) * 100}%` }} />
    </div>
  );
}
