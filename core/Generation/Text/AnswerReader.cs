using R1Serverless.Models;
using R1Serverless.Models.Tokenization;
using R1Serverless.Requests;

namespace R1Serverless.Generation;

/// <summary>
/// Reads the tokens of one choice into text increments. With reasoning tags, text between them is <see cref="DeltaKind.Reasoning"/> and the rest
/// the answer; the tags belong to neither, newlines at the beginning of both and at the end of reasoning are dropped, and stop texts count in the
/// answer only, so that thinking about a stop text doesn't end the thought. Without tags all text is the answer, as it was generated. Text that
/// may turn out to be dropped is held back until that is known. Not thread-safe.
/// </summary>
internal sealed class AnswerReader
{
    private readonly int _choice;
    private readonly ITokenizer _tokenizer;
    private readonly IncrementalDecoder _decoder;
    private readonly ReasoningTags? _tags;
    private readonly StopMatcher _stop;
    private readonly HeldText _held = new();
    private DeltaKind _kind;

    /// <summary>Whether nothing but newlines has come since the last tag.</summary>
    private bool _leading;

    /// <summary>How many newlines the reasoning ends with so far, all of them held.</summary>
    private int _trailing;

    /// <summary>How much of the held text may be given out.</summary>
    private int _certain;

    /// <param name="choice">The choice's index, for its deltas.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="stop">None of them empty.</param>
    /// <param name="tags">Null reads raw text.</param>
    /// <param name="opensReasoning">Whether the prompt ends inside the tags.</param>
    public AnswerReader(int choice, ITokenizer tokenizer, IReadOnlyList<string> stop, ReasoningTags? tags, bool opensReasoning)
    {
        _choice = choice;
        _tokenizer = tokenizer;
        _decoder = new IncrementalDecoder(tokenizer);
        _tags = tags;
        _stop = new StopMatcher(stop);
        _leading = tags is not null;
        _kind = tags is not null && opensReasoning ? DeltaKind.Reasoning : DeltaKind.Answer;
    }

    /// <summary>A stop text was reached: whatever comes after it is ignored.</summary>
    public bool Stopped { get; private set; }

    /// <summary>Tokens inside the tags, tags included.</summary>
    public int ReasoningTokens { get; private set; }

    /// <summary>Reads one token. What it makes certain comes with the next <see cref="Flush"/>, or with a part of the answer that ends here.</summary>
    public void Append(in SampledToken token, List<InferenceEvent.Delta> output)
    {
        if (Stopped) return;
        if (_kind == DeltaKind.Reasoning || token.Id == _tags?.Open) ReasoningTokens++;
        if (token.Id == _tags?.Open)
        {
            Switch(DeltaKind.Reasoning, output);
        }
        else if (token.Id == _tags?.Close)
        {
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
        output.Add(new InferenceEvent.Delta(_choice, _kind, text, logprobs));
    }

    /// <summary>The tokens are over: gives out what was held back.</summary>
    public void Finish(List<InferenceEvent.Delta> output)
    {
        if (Stopped) return;
        Read(_decoder.Flush(), logprob: null, output);
        if (Stopped) return;
        _certain = _held.Length - _trailing;
        Flush(output);
        _held.Drop(_trailing);
        _trailing = 0;
        _stop.Reset();
    }

    private void Switch(DeltaKind kind, List<InferenceEvent.Delta> output)
    {
        Finish(output);
        _kind = kind;
        _leading = true;
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

        if (_kind == DeltaKind.Reasoning)
        {
            var last = text.AsSpan().LastIndexOfAnyExcept('\n');
            _trailing = last < 0 ? _trailing + text.Length : text.Length - 1 - last;
            _certain = _held.Length - _trailing;
        }
        else if (_stop.Scan(text) is { } match)
        {
            _certain = _held.Length - text.Length + match.End - match.Length;
            Flush(output);
            _held.Drop(_held.Length);
            Stopped = true;
        }
        else
        {
            _certain = _held.Length - _stop.Held;
        }
    }
}
