using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using R1Serverless.Abstractions;

namespace R1Serverless.Queues;

/// <summary>Names of a prompt's beginnings: who has run a prompt with one of them may have its keys and values still. HMAC-SHA256 with the salt that
/// decides who shares as its key, cut to 64 bits: by two names alone it can't be told whose prompts began alike where salts differ, and a guess of a
/// beginning can be checked only by who knows the salt. That is no secret to whoever may read the queue, who reads the prompts there.</summary>
public static class PrefixHashes
{
    /// <summary>Of one prompt: the shortest, which requests of many conversations have in common, and the longest.</summary>
    public const int Most = 8;

    // What is shared is whole blocks of 64 tokens; few texts have more than one token in four bytes of UTF-8.
    private const int LeastBytes = 256, LeastTokens = 64;

    private const int HashBytes = 8;

    /// <summary>Shortest first: of a conversation after each message, of a text or token ids at lengths that double; empty where nothing is worth
    /// it.</summary>
    /// <param name="salt">Equal for those that share.</param>
    public static IReadOnlyList<string> Of(InferenceRequest request, string salt)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(salt));
        Add(hash, Encoding.UTF8.GetBytes(request.Model));
        Add(hash, Encoding.UTF8.GetBytes(request.Precision.Named is { } precision ? PrecisionName.Of(precision) : ""));
        var all = request.Prompt switch
        {
            Prompt.Chat chat => AfterMessages(hash, chat.Messages),
            Prompt.Text { Value: var text } => AtLengths(hash, Encoding.UTF8.GetBytes(text), LeastBytes),
            Prompt.Tokens { Ids: var ids } => AtLengths(hash, MemoryMarshal.AsBytes<int>([.. ids]), LeastTokens * sizeof(int)),
            _ => [],
        };
        return all.Count <= Most ? all : [all[0], .. all[^(Most - 1)..]];
    }

    private static List<string> AfterMessages(IncrementalHash hash, IReadOnlyList<ChatMessage> messages)
    {
        List<string> found = [];
        var length = 0;
        foreach (var message in messages)
        {
            var content = Encoding.UTF8.GetBytes(message.Content);
            hash.AppendData([(byte)message.Role]);
            Add(hash, content);
            length += content.Length;
            if (length >= LeastBytes) found.Add(Name(hash));
        }

        return found;
    }

    private static List<string> AtLengths(IncrementalHash hash, ReadOnlySpan<byte> content, int least)
    {
        List<string> found = [];
        var done = 0;
        for (long length = least; length <= content.Length; length *= 2)
        {
            hash.AppendData(content[done..(int)length]);
            done = (int)length;
            found.Add(Name(hash));
        }

        return found;
    }

    /// <summary>With its length before it, so that no two lists of parts are alike.</summary>
    private static void Add(IncrementalHash hash, ReadOnlySpan<byte> part)
    {
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, part.Length);
        hash.AppendData(length);
        hash.AppendData(part);
    }

    private static string Name(IncrementalHash hash)
    {
        Span<byte> whole = stackalloc byte[HMACSHA256.HashSizeInBytes];
        hash.GetCurrentHash(whole);
        return Convert.ToBase64String(whole[..HashBytes]).TrimEnd('=');
    }
}
