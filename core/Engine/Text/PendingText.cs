using System.Text;
using R1Serverless.Abstractions;

namespace R1Serverless.Engine.Text;

/// <summary>
/// Text that is decoded but not yet given out, with the probabilities of its tokens. A token's probabilities leave with the first text given out
/// that holds a character of it; those of a token that is dropped whole never leave.
/// </summary>
internal sealed class PendingText
{
    private readonly StringBuilder _text = new();
    private readonly Queue<(long Start, long End, TokenLogprob Logprob)> _logprobs = new();

    /// <summary>Where the held text begins in all text so far.</summary>
    private long _begin;

    public int Length => _text.Length;

    /// <param name="text">The whole characters a token completes; empty where it only begins one.</param>
    /// <param name="logprob">Null where none were asked for, or the text belongs to no token.</param>
    public void Add(string text, TokenLogprob? logprob)
    {
        if (logprob is not null)
        {
            var start = _begin + _text.Length;
            _logprobs.Enqueue((start, start + Math.Max(1, text.Length), logprob));
        }

        _text.Append(text);
    }

    /// <summary>Removes the first characters, to be given out.</summary>
    public string Take(int count, out IReadOnlyList<TokenLogprob>? logprobs)
    {
        var text = _text.ToString(0, count);
        _text.Remove(0, count);
        _begin += count;
        List<TokenLogprob>? begun = null;
        while (_logprobs.TryPeek(out var first) && first.Start < _begin) (begun ??= []).Add(_logprobs.Dequeue().Logprob);
        logprobs = begun;
        return text;
    }

    /// <summary>Where the last character that is not the given one stands in a part of it; -1 where there is none.</summary>
    public int LastExcept(char character, int start, int end)
    {
        for (var at = end - 1; at >= start; at--)
        {
            if (_text[at] != character) return at;
        }

        return -1;
    }

    /// <summary>Whether it begins with the text, or with as much of it as there is.</summary>
    public bool MayBegin(string text)
    {
        for (var at = 0; at < Math.Min(text.Length, _text.Length); at++)
        {
            if (_text[at] != text[at]) return false;
        }

        return true;
    }

    /// <summary>The last characters.</summary>
    public string Last(int count) => _text.ToString(_text.Length - count, count);

    /// <summary>Removes the first characters for good.</summary>
    public void Drop(int count)
    {
        _text.Remove(0, count);
        _begin += count;
        while (_logprobs.TryPeek(out var first) && first.End <= _begin) _logprobs.Dequeue();
    }
}
