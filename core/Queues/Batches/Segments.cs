using System.IO.Pipelines;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Batches;

/// <summary>The first line of a segment.</summary>
/// <param name="Through">The number of its last line.</param>
internal sealed record SegmentHead(long Through, int Completed, int Failed, int OutputBytes, int ErrorBytes);

/// <summary>Consecutive lines that have ended: <c>batches/{id}/segment-00000</c> and so on, each with a head, its output lines and its error lines. A
/// segment is one object that is written once and never changed: whoever writes it first decides how its lines ended, so that each is in exactly one
/// place even if two processes drive the batch for a moment.</summary>
internal sealed class Segments(IObjectStore store, string batch)
{
    // Answers may be far longer than their questions.
    private const int LongestLine = 1 << 29;

    /// <summary>Writes a segment unless it is there already; the head of the one that is there then.</summary>
    public async ValueTask<SegmentHead> PutAsync(int index, long through, IReadOnlyList<LineOutput> lines, CancellationToken cancellationToken)
    {
        var outputBytes = lines.Where(line => !line.IsError).Sum(line => line.Json.Length);
        var errorBytes = lines.Where(line => line.IsError).Sum(line => line.Json.Length);
        var failed = lines.Count(line => line.IsError);
        SegmentHead head = new(through, lines.Count - failed, failed, outputBytes, errorBytes);
        var first = BatchJson.Write(head, BatchJson.Default.SegmentHead);
        var content = new byte[first.Length + 1 + outputBytes + errorBytes];
        first.CopyTo(content, 0);
        content[first.Length] = (byte)'\n';
        var at = first.Length + 1;
        foreach (var line in lines.Where(line => !line.IsError).Concat(lines.Where(line => line.IsError)))
        {
            line.Json.CopyTo(content.AsMemory(at));
            at += line.Json.Length;
        }

        if (await store.PutAsync(Name(index), content, PutCondition.Absent, cancellationToken) is not null) return head;
        return await FindAsync(index, cancellationToken) ?? throw new InvalidDataException($"{Name(index)} is there and not there.");
    }

    /// <summary>Null if it is not written.</summary>
    public async ValueTask<SegmentHead?> FindAsync(int index, CancellationToken cancellationToken)
    {
        if (await store.OpenAsync(Name(index), cancellationToken) is not { } stream) return null;
        await using LineReader reader = new(stream, LongestLine);
        return await HeadAsync(reader, index, cancellationToken);
    }

    /// <summary>Writes the output lines, or the error lines, or both, of all segments as one object; returns its size.</summary>
    public async ValueTask<ContentSize> ConcatenateAsync(string name, int count, bool output, bool errors, CancellationToken cancellationToken)
    {
        Pipe pipe = new();
        CountedStream content = new(pipe.Reader.AsStream());
        var fill = FillAsync(pipe.Writer, count, output, errors, cancellationToken);
        try
        {
            await store.PutAsync(name, content, cancellationToken);
        }
        finally
        {
            await pipe.Reader.CompleteAsync();
            await fill;
        }

        return new ContentSize(content.Bytes, content.Lines);
    }

    public async ValueTask DeleteAsync(int count, CancellationToken cancellationToken)
    {
        for (var index = 0; index < count; index++) await store.DeleteAsync(Name(index), cancellationToken);
    }

    private async Task FillAsync(PipeWriter writer, int count, bool output, bool errors, CancellationToken cancellationToken)
    {
        Exception? fault = null;
        try
        {
            for (var index = 0; index < count; index++)
            {
                await using var stream = await store.OpenAsync(Name(index), cancellationToken)
                    ?? throw new InvalidDataException($"{Name(index)} is gone.");
                await using LineReader reader = new(stream, LongestLine);
                var head = await HeadAsync(reader, index, cancellationToken);
                await CopyAsync(reader, writer, output ? head.Completed : 0, output ? 0 : head.Completed, cancellationToken);
                if (errors) await CopyAsync(reader, writer, head.Failed, 0, cancellationToken);
            }
        }
        catch (Exception thrown)
        {
            // The reader of the pipe throws it where the object is written.
            fault = thrown;
        }

        await writer.CompleteAsync(fault);
    }

    private static async ValueTask CopyAsync(LineReader reader, PipeWriter writer, int copied, int skipped, CancellationToken cancellationToken)
    {
        for (var i = 0; i < copied + skipped; i++)
        {
            if (!await reader.ReadAsync(cancellationToken) || reader.IsTooLong) throw new InvalidDataException("A segment ends too early.");
            if (i < skipped) continue;
            Write(writer, reader.Line.Span);
            if ((await writer.FlushAsync(cancellationToken)).IsCompleted) throw new IOException("The object is no longer being written.");
        }
    }

    private static void Write(PipeWriter writer, ReadOnlySpan<byte> line)
    {
        var room = writer.GetSpan(line.Length + 1);
        line.CopyTo(room);
        room[line.Length] = (byte)'\n';
        writer.Advance(line.Length + 1);
    }

    private async ValueTask<SegmentHead> HeadAsync(LineReader reader, int index, CancellationToken cancellationToken) =>
        await reader.ReadAsync(cancellationToken)
            ? BatchJson.Read(reader.Line.Span, BatchJson.Default.SegmentHead, Name(index))
            : throw new InvalidDataException($"{Name(index)} is empty.");

    private string Name(int index) => $"{BatchJobs.Folder(batch)}segment-{index:D5}";
}
