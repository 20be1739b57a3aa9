using R1Serverless.Abstractions;
using R1Serverless.Engine.Sampling;
using R1Serverless.Models.Text;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Engine.Text;

/// <summary>
/// Reads the tokens of one choice into text increments. With reasoning tags, text between them is <see cref="DeltaKind.Reasoning"/> and the rest
/// the answer; the tags belong to neither, newlines at the beginning of both and at the end of reasoning are dropped, and stop texts count in the
/// answer only, so that thinking about a stop text doesn't end the thought. Tags that are text and not tokens count where they can be meant: the
/// opening one at the very beginning, the closing one in reasoning. A closing tag that nothing opened says that all before it was reasoning, which
/// has been given out as the answer by then: <see cref="UnopenedReasoning"/>. Without tags all text is the answer, as it was generated. Text that
/// may turn out to be dropped, or a tag, is held back until that is known. Not thread-safe.
/// </summary>
internal sealed class AnswerReader
{
    private readonly int _choice;
    private readonly ITokenizer _tokenizer;
    private readonly IncrementalDecoder _decoder;
    private readonly ReasoningTags? _tags;
    private readonly StopMatcher _stop;

    /// <summary>Finds the closing tag in reasoning, where tags are text.</summary>
    private readonly StopMatcher? _close;

    /// <summary>Finds the first tag in an answer that may turn out to be reasoning, where tags are text.</summary>
    private StopMatcher? _unopened;
    private readonly PendingText _held = new();
    private DeltaKind _kind;

    /// <summary>Whether nothing but newlines has come since the last tag.</summary>
    private bool _leading;

    /// <summary>Whether all that has come may be the beginning of an opening tag, where tags are text.</summary>
    private bool _opening;

    /// <summary>Whether no tag has come and the prompt opened none.</summary>
    private bool _isUntagged;

    private int _tokens;

    /// <summary>Characters of the answer that were given out.</summary>
    private int _given;

    /// <summary>How many newlines the reasoning ends with so far, before what may be a closing tag; all of them held.</summary>
    private int _trailing;

    /// <summary>How much of the held text may be given out.</summary>
    private int _certain;

    /// <param name="choice">The choice's index, for its deltas.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="stop">None of them empty.</param>
    /// <param name="tags">Null reads raw text.</param>
    /// <param name="opensReasoning">Whether the prompt ends inside the tags.</param>
    /// <param name="continues">The text goes on where the prompt ends, so that a space at its beginning belongs to it.</param>
    public AnswerReader(int choice, ITokenizer tokenizer, IReadOnlyList<string> stop, ReasoningTags? tags, bool opensReasoning,
        bool continues = false)
    {
        _choice = choice;
        _tokenizer = tokenizer;
        _decoder = new IncrementalDecoder(tokenizer, continues);
        _tags = tags;
        _stop = new StopMatcher(stop);
        _leading = tags is not null;
        _kind = tags is not null && opensReasoning ? DeltaKind.Reasoning : DeltaKind.Answer;
        _isUntagged = tags is not null && !opensReasoning;
        if (tags is not { AreText: true }) return;
        _close = new StopMatcher([ReasoningMarks.Close]);
        _unopened = new StopMatcher([ReasoningMarks.Close, ReasoningMarks.Open]);
        _opening = !opensReasoning;
    }

    /// <summary>A stop text was reached: whatever comes after it is ignored.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Tokens inside the tags, tags included.</summary>
    public int ReasoningTokens { get; private set; }

    /// <summary>How many of the answer's first characters were reasoning after all.</summary>
    public int UnopenedReasoning { get; private set; }

    /// <summary>Reads one token. What it makes certain comes with the next <see cref="Flush"/>, or with a part of the answer that ends
    /// here.</summary>
    public void Append(in SampledToken token, List<InferenceEvent.Delta> output)
    {
        if (Stopped) return;
        _tokens++;
        if (_kind == DeltaKind.Reasoning || token.Id == _tags?.Open) ReasoningTokens++;
        if (token.Id == _tags?.Open)
        {
            Switch(DeltaKind.Reasoning, output);
        }
        else if (token.Id == _tags?.Close)
        {
            Finish(output);
            if (_isUntagged) TakeBack();
            Switch(DeltaKind.Answer, output);
        }
        else
        {
            Read(_decoder.Append(token.Id), TokenLogprobs.Of(token, _tokenizer), output);
        }
    }

    /// <summary>Gives out the text that has become certain, of all tokens read since the last time.</summary>
    public void Flush(List<InferenceEvent.Delta> output)
    {
        if (_certain == 0) return;
        var text = _held.Take(_certain, out var logprobs);
        _certain = 0;
        if (_kind == DeltaKind.Answer) _given += text.Length;
        output.Add(new InferenceEvent.Delta(_choice, _kind, text, logprobs));
    }

    /// <summary>The tokens are over: gives out what was held back.</summary>
    public void Finish(List<InferenceEvent.Delta> output)
    {
        if (Stopped) return;
        Read(_decoder.Flush(), logprob: null, output);
        // What may have become a tag is text after all.
        if (_opening)
        {
            _opening = false;
            ReadAnswer(_held.Last(_held.Length), output);
        }

        if (Stopped) return;
        if (_close is { Held: > 0 }) _trailing = 0;
        _close?.Reset();
        _certain = _held.Length - _trailing;
        Flush(output);
        _held.Drop(_trailing);
        _trailing = 0;
        _stop.Reset();
        _unopened?.Reset();
    }

    /// <summary>What was given out as the answer so far was reasoning.</summary>
    private void TakeBack()
    {
        (UnopenedReasoning, ReasoningTokens) = (_given, _tokens);
        _isUntagged = false;
    }

    private void Switch(DeltaKind kind, List<InferenceEvent.Delta> output)
    {
        Finish(output);
        _kind = kind;
        _leading = true;
        _isUntagged = false;
    }

    private void Read(string text, TokenLogprob? logprob, List<InferenceEvent.Delta> output)
    {
        _held.Add(text, logprob);
        if (_leading)
        {
            var begin = text.AsSpan().IndexOfAnyExcept('\n');
            _held.Drop(begin < 0 ? text.Length : begin);
            if (begin < 0) return;
            text = text[begin..];
            _leading = false;
        }

        if (_opening)
        {
            if (_held.MayBegin(ReasoningMarks.Open))
            {
                if (_held.Length >= ReasoningMarks.Open.Length) Open(output);
                return;
            }

            // None of it has been read yet.
            _opening = false;
            text = _held.Last(_held.Length);
        }

        if (_kind == DeltaKind.Reasoning) ReadReasoning(text, output);
        else ReadAnswer(text, output);
    }

    /// <summary>The held text begins with the opening tag: what follows it is reasoning.</summary>
    private void Open(List<InferenceEvent.Delta> output)
    {
        _held.Drop(ReasoningMarks.Open.Length);
        (_opening, _isUntagged) = (false, false);
        ReasoningTokens += _tokens;
        ReadOn(DeltaKind.Reasoning, output);
    }

    /// <summary>Reads what is held, which came with a tag, as the beginning of the other kind.</summary>
    private void ReadOn(DeltaKind kind, List<InferenceEvent.Delta> output)
    {
        (_kind, _leading, _trailing) = (kind, true, 0);
        var rest = _held.Last(_held.Length);
        var begin = rest.AsSpan().IndexOfAnyExcept('\n');
        _held.Drop(begin < 0 ? rest.Length : begin);
        if (begin < 0) return;
        _leading = false;
        if (kind == DeltaKind.Reasoning) ReadReasoning(rest[begin..], output);
        else ReadAnswer(rest[begin..], output);
    }

    private void ReadReasoning(string text, List<InferenceEvent.Delta> output)
    {
        // What was held as the beginning of a tag may be none.
        var start = _held.Length - text.Length - (_close?.Held ?? 0);
        if (_close?.Scan(text) is { } tag)
        {
            var end = _held.Length - text.Length + tag.End;
            CountTrailing(start, end - tag.Length);
            _certain = end - tag.Length - _trailing;
            Flush(output);
            _held.Drop(_trailing + tag.Length);
            _close.Reset();
            ReadOn(DeltaKind.Answer, output);
            return;
        }

        var certain = _held.Length - (_close?.Held ?? 0);
        CountTrailing(start, certain);
        _certain = certain - _trailing;
    }

    /// <summary>Counts the newlines before <paramref name="end"/>; those before <paramref name="start"/> are counted already.</summary>
    private void CountTrailing(int start, int end)
    {
        var last = _held.LastExcept('\n', start, end);
        _trailing = last < 0 ? _trailing + end - start : end - 1 - last;
    }

    private void ReadAnswer(string text, List<InferenceEvent.Delta> output)
    {
        var stop = _stop.Scan(text);
        if (_isUntagged && _unopened?.Scan(text) is { } tag && !(stop?.End < tag.End))
        {
            if (tag.Length == ReasoningMarks.Close.Length)
            {
                _certain = _held.Length - text.Length + tag.End - tag.Length;
                Flush(output);
                _held.Drop(tag.Length);
                TakeBack();
                _stop.Reset();
                ReadOn(DeltaKind.Answer, output);
                return;
            }

            // Told of, not meant.
            _isUntagged = false;
        }

        if (stop is { } match)
        {
            _certain = _held.Length - text.Length + match.End - match.Length;
            Flush(output);
            _held.Drop(_held.Length);
            Stopped = true;
        }
        else
        {
            _certain = _held.Length - Math.Max(_stop.Held, _isUntagged ? _unopened?.Held ?? 0 : 0);
        }
    }
}
