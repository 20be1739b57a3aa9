using System.Runtime.InteropServices;
using R1Serverless.Abstractions;

namespace R1Serverless.Queues.Gateway;

/// <summary>What a client has been given of one choice, and how far the telling at hand has come in it.</summary>
internal sealed class DeliveredText
{
    private readonly List<char> _text = [];
    private readonly List<(int Start, DeltaKind Kind)> _parts = [];
    private int _logprobs;
    private int _seen;
    private int _seenLogprobs;

    public bool IsFinished { get; set; }

    /// <summary>Whether the telling at hand has told all that was given before.</summary>
    public bool IsCaughtUp => _seen == _text.Count;

    /// <summary>The answer is told anew from its start.</summary>
    public void Rewind() => (_seen, _seenLogprobs) = (0, 0);

    /// <summary>Takes the next piece; false if it differs from what was given.</summary>
    /// <param name="fresh">What of it the client has not been given yet; null for nothing.</param>
    public bool TryAdd(InferenceEvent.Delta delta, out InferenceEvent.Delta? fresh)
    {
        fresh = null;
        var known = Math.Min(delta.Text.Length, _text.Count - _seen);
        if (!delta.Text.AsSpan(0, known).SequenceEqual(CollectionsMarshal.AsSpan(_text).Slice(_seen, known)) || !IsOfKind(_seen, known, delta.Kind))
            return false;
        _seen += known;
        var rest = delta.Text[known..];
        if (rest.Length > 0 && (_parts is not [.., var last] || last.Kind != delta.Kind)) _parts.Add((_text.Count, delta.Kind));
        _text.AddRange(rest);
        _seen += rest.Length;
        var logprobs = NewOf(delta.Logprobs);
        if (rest.Length > 0 || logprobs is not null) fresh = delta with { Text = rest, Logprobs = logprobs };
        return true;
    }

    private bool IsOfKind(int start, int length, DeltaKind kind)
    {
        for (var part = 0; part < _parts.Count; part++)
        {
            var end = part + 1 < _parts.Count ? _parts[part + 1].Start : _text.Count;
            if (_parts[part].Kind != kind && _parts[part].Start < start + length && end > start) return false;
        }

        return true;
    }

    private IReadOnlyList<TokenLogprob>? NewOf(IReadOnlyList<TokenLogprob>? told)
    {
        if (told is null) return null;
        var known = Math.Min(told.Count, _logprobs - _seenLogprobs);
        _seenLogprobs += told.Count;
        _logprobs = Math.Max(_logprobs, _seenLogprobs);
        return known == told.Count ? null : [.. told.Skip(known)];
    }
}
