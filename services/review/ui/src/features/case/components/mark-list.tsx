import { MarkSign } from '@/features/case/components/mark-sign';
import { countMarks, type MarkCount, marksInShort } from '@/features/case/lib/vital-marks';
import type { Series } from '@/features/case/lib/vitals-series';
import { dateTime } from '@/lib/format';
import type { VitalSignView } from '@/lib/vital-signs';

const LISTED = 4;

/** How many samples of a variable bear a mark, and, opened, which and why: what the chart tells to the mouse alone. */
export function MarkList({ series, sign }: { series: Series; sign: VitalSignView }) {
  const counts = countMarks(series.marks);
  if (counts.length === 0) return null;
  return (
    <details className="vital-marks small">
      <summary>{marksInShort(counts)}</summary>
      <ul>
        {counts.map((one) => (
          <li key={one.reason}>
            <MarkSign shape={one.setAside ? 'cross' : 'ring'} /> {one.count} {one.setAside ? 'set aside' : 'doubtful'}: {one.reason}
            <span className="muted"> ({samplesOf(series, one, sign)})</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function samplesOf(series: Series, { reason, count }: MarkCount, sign: VitalSignView): string {
  const bearing = series.marks.flatMap((mark, index) => (mark?.reason === reason ? [index] : []));
  const named = bearing.slice(0, LISTED).map((index) => {
    const [time, value] = [series.times[index] ?? 0, series.values[index] ?? 0];
    return `${value.toFixed(sign.digits)} ${sign.unit}, ${dateTime(new Date(time * 1000))}`;
  });
  return count > LISTED ? `${named.join('; ')}; and ${count - LISTED} more` : named.join('; ');
}
