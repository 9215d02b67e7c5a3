import { Panel } from '@/components/panel';
import type { Diagnosis } from '@/lib/contract';

/** Past cases that the model finds most like this one. */
export function SimilarCases({ diagnosis }: { diagnosis: Diagnosis }) {
  const similar = diagnosis.explanation?.similar ?? [];
  if (similar.length === 0) return null;
  return (
    <Panel title="Similar cases">
      <ul className="similar">
        {similar.map((item) => (
          <li key={item.case}>
            <code>{item.case}</code>
            <span>{item.diagnosis?.display ?? 'diagnosis unknown'}</span>
            <span className="muted small">similarity {item.similarity.toFixed(2)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
