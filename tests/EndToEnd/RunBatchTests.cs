using System.Diagnostics;
using System.Text.Json;

namespace R1Serverless.Tests.EndToEnd;

/// <summary><c>r1 run-batch</c> as people run it, on r1-nano, in a process that is killed.</summary>
public sealed class RunBatchTests : IDisposable
{
    private const int Lines = 400;

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-offline-").FullName;

    private string Output => Path.Combine(_folder, "out.jsonl");

    private string Part => Output + ".part";

    [Fact]
    public async Task Killed_and_run_again_it_answers_each_request_once_in_order()
    {
        List<string> lines = [.. BatchTests.Input("/v1/chat/completions", Lines).Split('\n', StringSplitOptions.RemoveEmptyEntries)];
        lines[7] = lines[7].Replace("\"temperature\":0", "\"temperature\":9", StringComparison.Ordinal);
        await File.WriteAllLinesAsync(Path.Combine(_folder, "in.jsonl"), lines);

        using (var first = Start("--batch-size", "1"))
        {
            using CancellationTokenSource limit = new(TimeSpan.FromMinutes(2));
            while (!File.Exists(Part) || new FileInfo(Part).Length < 50_000)
            {
                Assert.False(first.HasExited, "It ended before it could be killed.");
                await Task.Delay(5, limit.Token);
            }

            first.Kill();
            await first.WaitForExitAsync(limit.Token);
        }

        string[] kept =
            [.. (await File.ReadAllLinesAsync(Part)).Skip(1).SkipLast(1)
                .Select(line => JsonDocument.Parse(line[35..]).RootElement.GetProperty("id").GetString()!)];
        Assert.InRange(kept.Length, 20, Lines - 20);
        // As if the process had died in the middle of a write.
        await File.AppendAllTextAsync(Part, "0123456789abcdef");

        (var code, var said) = await RunAsync();
        Assert.Equal(3, code);
        Assert.Contains("399 answered", said, StringComparison.Ordinal);
        JsonElement[] answers = [.. (await File.ReadAllLinesAsync(Output)).Select(line => JsonDocument.Parse(line).RootElement)];
        JsonElement[] errors =
            [.. (await File.ReadAllLinesAsync(Path.Combine(_folder, "out.errors.jsonl"))).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal(Enumerable.Range(0, Lines).Where(i => i != 7).Select(i => $"sum-{i}"),
            answers.Select(one => one.GetProperty("custom_id").GetString()));
        Assert.Equal("sum-7", Assert.Single(errors).GetProperty("custom_id").GetString());
        Assert.Empty(kept.Except(answers.Concat(errors).Select(one => one.GetProperty("id").GetString()!)));
        Assert.All(answers, one => Assert.Equal(
            $"{100 + (2 * int.Parse(one.GetProperty("custom_id").GetString()![4..]))}",
            one.GetProperty("response").GetProperty("body").GetProperty("choices")[0].GetProperty("message").GetProperty("content")
            .GetString()!.Trim()));
        Assert.False(File.Exists(Part));
    }

    [Fact]
    public async Task A_file_that_is_not_valid_is_refused_with_its_lines_before_anything_is_loaded()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "in.jsonl"), BatchTests.Input("/v1/moderations", 1) + "{}\n");
        (var code, var said) = await RunAsync();
        Assert.Equal(1, code);
        Assert.Contains("in.jsonl:1: 'url'", said, StringComparison.Ordinal);
        Assert.Contains("in.jsonl:2: 'custom_id'", said, StringComparison.Ordinal);
        Assert.DoesNotContain("Loaded", said, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Process Start(params string[] more)
    {
        ProcessStartInfo start = new("dotnet") { UseShellExecute = false, RedirectStandardError = true, WorkingDirectory = _folder };
        foreach (var one in (string[])[Path.Combine(AppContext.BaseDirectory, "r1.dll"), "run-batch", "-i", "in.jsonl", "-o", "out.jsonl",
            "--data", "data", .. more]) start.ArgumentList.Add(one);
        return Process.Start(start)!;
    }

    private async Task<(int Code, string Said)> RunAsync()
    {
        using var process = Start();
        using CancellationTokenSource limit = new(TimeSpan.FromMinutes(2));
        var said = await process.StandardError.ReadToEndAsync(limit.Token);
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, said);
    }
}
