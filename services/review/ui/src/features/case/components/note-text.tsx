import { type CSSProperties, useId } from 'react';

import { type Segment, segmentsOf } from '@/features/case/lib/segments';
import type { NoteSpan } from '@/lib/contract';
import { signed } from '@/lib/format';

/** A note, verbatim, with the spans that counted marked by colour and by the style of their underline. */
export function NoteText({ text, spans }: { text: string; spans: readonly NoteSpan[] }) {
  const most = Math.max(...spans.map((span) => Math.abs(span.contribution)), 1e-9);
  return (
    <p className="note-text">
      {segmentsOf(text, spans).map((segment, i) =>
        // Segments of one note never move, so their place is their identity.
        segment.span === null ? segment.text : <Marked key={i} segment={segment} span={segment.span} most={most} />,
      )}
    </p>
  );
}

function Marked({ segment, span, most }: { segment: Segment; span: NoteSpan; most: number }) {
  const tip = useId();
  const strength = Math.abs(span.contribution) / most;
  const style = { '--strength': `${Math.round(12 + 28 * strength)}%` } as CSSProperties;
  const side = span.contribution < 0 ? 'against' : 'for';
  return (
    <mark className={`span span-${side} ${span.negated ? 'span-negated' : ''}`} style={style} tabIndex={0} aria-describedby={tip}>
      {segment.text}
      <span role="tooltip" id={tip} className="tip">
        {side} {signed(span.contribution)} log-odds{span.negated ? ' · negated in the note' : ''}
      </span>
    </mark>
  );
}
